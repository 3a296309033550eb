//! What a worker holds at the moment, and the means to stop each.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use archesai_workflows::{
    StepRunId,
    engine::{Claim, Lease},
};

use crate::Stop;

/// What a worker holds.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<StepRunId, (Claim, Stop)>>);

impl Held {
    fn steps(&self) -> MutexGuard<'_, HashMap<StepRunId, (Claim, Stop)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a claim down as held; what is answered says when to stop.
    pub(super) fn take(&self, claim: &Claim) -> Stop {
        let stop = Stop::new();
        let held = (claim.clone(), stop.clone());
        self.steps().insert(claim.step.id, held);
        stop
    }

    /// A claim is over.
    pub(super) fn drop(&self, claim: &Claim) {
        self.steps().remove(&claim.step.id);
    }

    /// Which leases are held.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let steps = self.steps();
        steps.values().map(|(claim, _)| claim.lease()).collect()
    }

    /// Whether a lease is held.
    pub(super) fn has(&self, lease: Lease) -> bool {
        let steps = self.steps();
        let held = steps.get(&lease.step_run);
        held.is_some_and(|(claim, _)| claim.lease() == lease)
    }

    /// Stops those of the leases held `before` a heartbeat that its answer does not name.
    pub(super) fn keep(&self, before: &[Lease], answer: &[Claim]) {
        let named: HashSet<Lease> = answer.iter().map(Claim::lease).collect();
        let steps = self.steps();
        for lease in before.iter().filter(|lease| !named.contains(lease)) {
            match steps.get(&lease.step_run) {
                Some((claim, stop)) if claim.lease() == *lease => stop.cancel(),
                _ => {}
            }
        }
    }
}
