//! Where a run stands, by where its steps stand.

use super::{Machine, StepRow};
use crate::{Event, RunStatus, StepStatus};

impl Machine<'_> {
    /// Brings the status and the progress of a run that has not ended up to
    /// those of its steps.
    pub(super) fn settle(&mut self) {
        if self.has_ended() {
            return;
        }
        let run_id = self.run.id;
        if self.run.status == RunStatus::Queued && self.has_begun() {
            self.run.status = RunStatus::Running;
            self.run.started_at.get_or_insert(self.now);
            self.events.push(Event::RunStarted { run_id });
        }
        let progress = progress(&self.steps).max(self.run.progress);
        if progress > self.run.progress {
            self.run.progress = progress;
            let progress = progress.into();
            self.events.push(Event::RunProgressed { run_id, progress });
        }
        let is_idle = !self.is_complete() && !self.steps.iter().any(|row| self.is_under_way(row));
        match self.run.status {
            RunStatus::Running if is_idle => {
                self.run.status = RunStatus::Waiting;
                self.events.push(Event::RunWaiting { run_id });
            }
            RunStatus::Waiting if !is_idle => {
                self.run.status = RunStatus::Running;
                self.events.push(Event::RunResumed { run_id });
            }
            _ => {}
        }
    }

    fn has_begun(&self) -> bool {
        self.steps.iter().any(|row| row.started_at.is_some())
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
