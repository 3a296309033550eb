//! What a machine decided.

use std::collections::BTreeMap;

use super::{Changes, Machine};
use crate::{Event, StepError, StepRunId};

/// What follows from the events a [`Machine`] was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to write.
    pub changes: Changes,
    /// Why step runs, or attempts at them, failed.
    pub errors: BTreeMap<StepRunId, StepError>,
    /// What to record, in this order.
    pub events: Vec<Event>,
    /// Whether there is work for other workers, now or at a time they are to
    /// know of, so that they are to be woken up.
    pub has_work: bool,
}

impl Machine<'_> {
    /// What follows from the events so far.
    pub fn decide(mut self) -> Decision {
        self.settle();
        let (mut updated, mut created) = (self.items, self.created);
        let touched = self.touched;
        let is_new = self.is_new;
        let steps = self.steps.into_iter().enumerate();
        let steps = steps.filter(|(at, _)| is_new || touched.contains(at));
        if is_new {
            created.extend(steps.map(|(_, row)| row));
        } else {
            updated.extend(steps.map(|(_, row)| row));
        }
        let mut changed = updated.iter().chain(&created);
        let has_work = changed.any(|row| row.ready_at.is_some());
        Decision {
            changes: Changes {
                run: self.run,
                output: self.output,
                error: self.error,
                updated,
                created,
                stopped: self.stopped,
            },
            errors: self.errors,
            events: self.events,
            has_work,
        }
    }
}
