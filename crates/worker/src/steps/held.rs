//! What a worker holds at the moment, and the means to stop each.

use std::{
    collections::HashMap,
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

    /// Which claims are held.
    pub(super) fn claims(&self) -> Vec<Claim> {
        self.steps()
            .values()
            .map(|(claim, _)| claim.clone())
            .collect()
    }

    /// Which step runs are held, and under which fence.
    pub(super) fn now(&self) -> Vec<(StepRunId, u64)> {
        let steps = self.steps();
        steps
            .values()
            .map(|(claim, _)| (claim.step.id, claim.step.fence))
            .collect()
    }

    /// Stops those of the step runs held `before` a heartbeat that its answer does not name.
    pub(super) fn keep(&self, before: &[(StepRunId, u64)], leases: &[Lease]) {
        let steps = self.steps();
        for (id, fence) in before {
            let ours = leases
                .iter()
                .any(|lease| lease.step_run == *id && lease.fence == *fence);
            match steps.get(id) {
                Some((claim, stop)) if !ours && claim.step.fence == *fence => stop.cancel(),
                _ => {}
            }
        }
    }
}
