//! What each event does to a step, its items, the steps that need it, and the run.

use std::time::SystemTime;

use super::{Items, Machine, OVERSLEPT, StepRow, backoff};
use crate::{
    Event, RunError, RunStatus, StepRunId, StepStatus, ToolError,
    definition::{OnError, Step},
};

impl Machine<'_> {
    pub(super) fn new_row(&self, step: &Step) -> StepRow {
        StepRow {
            id: StepRunId(self.ids.next()),
            step: step.id.clone(),
            tool: step.tool.clone(),
            parent: None,
            index: None,
            status: StepStatus::Pending,
            attempt: 0,
            crashes: 0,
            sleeps: 0,
            ready_at: None,
            worker: None,
            fence: 0,
            items: None,
            created_at: self.now,
            started_at: None,
            completed_at: None,
        }
    }

    /// Puts a changed row where it is written from.
    fn put(&mut self, at: usize, row: StepRow) {
        if row.index.is_some() {
            self.items.push(row);
        } else {
            self.steps[at] = row;
            self.touched.insert(at);
        }
    }

    fn end_row(&self, row: &mut StepRow, status: StepStatus) {
        row.status = status;
        row.worker = None;
        row.ready_at = None;
        row.completed_at = Some(self.now);
    }

    fn make_ready(&mut self, at: usize, mut row: StepRow, due: SystemTime) {
        row.status = StepStatus::Ready;
        row.worker = None;
        row.ready_at = Some(due);
        self.put(at, row);
    }

    pub(super) fn succeed(&mut self, at: usize, mut row: StepRow) {
        self.end_row(&mut row, StepStatus::Succeeded);
        self.events.push(Event::StepSucceeded {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
        });
        self.ended(at, row);
    }

    pub(super) fn fail(&mut self, at: usize, mut row: StepRow, error: &ToolError, jitter: u16) {
        let retry = self.definition.steps[at].retry.as_ref();
        let retry = retry.unwrap_or(&self.policy.retry);
        if !error.retryable || row.attempt >= retry.max_attempts {
            return self.give_up(at, row, error);
        }
        let scale = self.policy.retry_scale;
        let delay = backoff::delay(retry, row.attempt, jitter, scale, error.retry_after);
        self.errors.insert(row.id, error.into());
        self.events.push(Event::StepRetrying {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
            attempt: row.attempt.into(),
            code: error.code.clone(),
            message: error.message.clone(),
        });
        row.sleeps = 0;
        self.make_ready(at, row, self.now + delay);
    }

    /// Fails a step or an item for good, and does what its step says under `on_error`.
    pub(super) fn give_up(&mut self, at: usize, mut row: StepRow, error: &ToolError) {
        self.errors.insert(row.id, error.into());
        let on_error = self.definition.steps[at].on_error;
        if row.index.is_some() || on_error != OnError::Skip {
            self.end_row(&mut row, StepStatus::Failed);
            self.events.push(Event::StepFailed {
                run_id: self.run.id,
                step_run_id: row.id,
                step: row.step.clone(),
                code: error.code.clone(),
                message: error.message.clone(),
            });
        }
        match (on_error, row.index) {
            (OnError::Continue, _) => self.ended(at, row),
            (OnError::Fail | OnError::Skip, Some(index)) => {
                self.count(at, &row);
                self.put(at, row);
                let step = self.steps[at].clone();
                self.stop_items(step.id);
                let message = format!("item {index}: {}", error.message);
                let error = ToolError::permanent(error.code.clone(), message);
                self.give_up(at, step, &error);
            }
            (OnError::Fail, None) => {
                self.put(at, row);
                self.fail_run(error, Some(at));
            }
            (OnError::Skip, None) => {
                self.mark_skipped(at, row);
                self.skip_dependants(at);
            }
        }
    }

    pub(super) fn skip(&mut self, at: usize, row: StepRow) {
        self.mark_skipped(at, row);
        self.release_dependants(at);
    }

    fn mark_skipped(&mut self, at: usize, mut row: StepRow) {
        self.end_row(&mut row, StepStatus::Skipped);
        self.events.push(Event::StepSkipped {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
        });
        self.put(at, row);
    }

    pub(super) fn expand(&mut self, at: usize, mut row: StepRow, total: u32) {
        row.status = StepStatus::Waiting;
        row.worker = None;
        row.items = Some(Items {
            total,
            ..Items::default()
        });
        self.events.push(Event::StepExpanded {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
            items: total.into(),
        });
        self.put(at, row);
        self.start_items(at);
    }

    pub(super) fn sleep(&mut self, at: usize, mut row: StepRow, until: SystemTime) {
        self.events.push(Event::StepSleeping {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
        });
        let timeout = self.definition.steps[at].timeout;
        let deadline = timeout.map(|timeout| self.now + timeout);
        let deadline = deadline.filter(|deadline| *deadline < until);
        row.sleeps = match deadline {
            Some(_) => OVERSLEPT,
            None => row.sleeps.saturating_add(1),
        };
        // The next claim belongs to the same attempt.
        row.attempt = row.attempt.saturating_sub(1);
        self.make_ready(at, row, deadline.unwrap_or(until));
    }

    pub(super) fn lose(&mut self, at: usize, mut row: StepRow) {
        row.crashes += 1;
        if row.crashes < self.policy.max_crashes {
            return self.requeue(at, row);
        }
        let message = format!("{} workers were lost while they ran this step", row.crashes);
        self.give_up(at, row, &ToolError::permanent("worker_lost", message));
    }

    pub(super) fn requeue(&mut self, at: usize, mut row: StepRow) {
        self.events.push(Event::StepRequeued {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
            crashes: row.crashes.into(),
        });
        row.attempt = row.attempt.saturating_sub(1);
        self.make_ready(at, row, self.now);
    }

    /// Goes on after a step or an item that ended and stops nobody.
    fn ended(&mut self, at: usize, row: StepRow) {
        let is_item = row.index.is_some();
        if is_item {
            self.count(at, &row);
        }
        self.put(at, row);
        if is_item {
            self.start_items(at);
        } else {
            self.release_dependants(at);
        }
    }

    /// Counts an ended item.
    fn count(&mut self, at: usize, item: &StepRow) {
        if let Some(items) = &mut self.steps[at].items {
            items.done += 1;
            items.failed += u32::from(item.status == StepStatus::Failed);
        }
        self.touched.insert(at);
    }

    /// Makes items ready as far as the step's concurrency allows.
    fn start_items(&mut self, at: usize) {
        let step = &self.definition.steps[at];
        let Some(mut items) = self.steps[at].items else {
            return;
        };
        let slots = step.concurrency.unwrap_or(u32::MAX);
        while items.started < items.total && items.started - items.done < slots {
            let row = StepRow {
                parent: Some(self.steps[at].id),
                index: Some(items.started),
                status: StepStatus::Ready,
                ready_at: Some(self.now),
                ..self.new_row(step)
            };
            self.created.push(row);
            items.started += 1;
        }
        self.steps[at].items = Some(items);
        self.touched.insert(at);
    }

    /// Cancels what has not ended of a fan-out's items.
    fn stop_items(&mut self, parent: StepRunId) {
        let now = self.now;
        for row in self.created.iter_mut().chain(&mut self.items) {
            if row.parent == Some(parent) && !row.status.is_ended() {
                cancel(row, now);
            }
        }
        self.stopped.push(parent);
    }

    fn release_dependants(&mut self, at: usize) {
        let definition = self.definition;
        for &dependant in &definition.steps[at].dependants {
            self.release_if_free(dependant);
        }
    }

    pub(super) fn release_if_free(&mut self, at: usize) {
        let needs = &self.definition.steps[at].needs;
        let is_free = needs.iter().all(|&need| self.steps[need].status.is_ended());
        if is_free && self.steps[at].status == StepStatus::Pending {
            self.make_ready(at, self.steps[at].clone(), self.now);
        }
    }

    fn skip_dependants(&mut self, at: usize) {
        let definition = self.definition;
        for &dependant in &definition.steps[at].dependants {
            if self.steps[dependant].status == StepStatus::Pending {
                self.mark_skipped(dependant, self.steps[dependant].clone());
                self.skip_dependants(dependant);
            }
        }
    }

    pub(super) fn fail_run(&mut self, error: &ToolError, step: Option<usize>) {
        let step = step.map(|at| self.definition.steps[at].id.clone());
        self.error = Some(RunError {
            code: error.code.clone(),
            message: error.message.clone(),
            step: step.clone(),
        });
        self.end(RunStatus::Failed);
        self.events.push(Event::RunFailed {
            run_id: self.run.id,
            code: error.code.clone(),
            message: error.message.clone(),
            step,
        });
    }

    /// Ends the run, and cancels what has not ended of it.
    pub(super) fn end(&mut self, status: RunStatus) {
        self.run.status = status;
        self.run.started_at.get_or_insert(self.now);
        self.run.completed_at = Some(self.now);
        for at in 0..self.steps.len() {
            if self.steps[at].status == StepStatus::Waiting {
                self.stop_items(self.steps[at].id);
            }
            if !self.steps[at].status.is_ended() {
                cancel(&mut self.steps[at], self.now);
                self.touched.insert(at);
            }
        }
    }
}

fn cancel(row: &mut StepRow, now: SystemTime) {
    row.status = StepStatus::Cancelled;
    row.worker = None;
    row.ready_at = None;
    row.completed_at = Some(now);
}
