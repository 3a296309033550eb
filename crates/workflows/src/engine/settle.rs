//! Where a run stands, by where its steps stand.

use super::{Machine, StepRow};
use crate::{Event, RunStatus, StepStatus};

impl Machine<'_> {
    /// Brings the progress of a run that has not ended up to that of its steps,
    /// and notes when nothing of it is under way. That it began, or goes on, is
    /// for the claim of a step to note.
    pub(super) fn settle(&mut self) {
        if self.has_ended() {
            return;
        }
        let run_id = self.run.id;
        let progress = progress(&self.steps);
        if progress > self.run.progress {
            self.run.progress = progress;
            let progress = progress.into();
            self.events.push(Event::RunProgressed { run_id, progress });
        }
        let is_idle = !self.is_complete() && !self.steps.iter().any(|row| self.is_under_way(row));
        if is_idle && self.run.status == RunStatus::Running {
            self.run.status = RunStatus::Waiting;
            self.events.push(Event::RunWaiting { run_id });
        }
    }

    fn is_under_way(&self, row: &StepRow) -> bool {
        matches!(row.status, StepStatus::Running | StepStatus::Waiting) || row.is_due(self.now)
    }
}

/// The share of steps that ended, a fan-out counting by its items, in
/// hundredths of a percent.
fn progress(steps: &[StepRow]) -> u16 {
    let share = |row: &StepRow| match row.items {
        _ if row.status.is_ended() => 10_000,
        Some(items) if items.total > 0 => u64::from(items.done) * 10_000 / u64::from(items.total),
        _ => 0,
    };
    let steps_count = u64::try_from(steps.len()).unwrap_or(u64::MAX);
    let sum: u64 = steps.iter().map(share).sum();
    let mean = sum.checked_div(steps_count).unwrap_or(10_000);
    u16::try_from(mean).unwrap_or(10_000)
}
