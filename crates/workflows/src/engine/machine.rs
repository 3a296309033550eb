//! The state machine of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    error, fmt,
    time::SystemTime,
};

use super::{
    backoff,
    state::{Items, RunRow, RunState, StepRow},
};
use crate::{
    Event, Ids, Json, RunError, RunStatus, StepError, StepRunId, StepStatus, ToolError, WorkerId,
    definition::{Definition, OnError, Retry, Step},
};

/// What applies to every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How a step is tried again that does not say it itself: 3 attempts, 1 s
    /// after the first and 2 s after the second.
    pub retry: Retry,
    /// Stretches every delay between attempts; 1 leaves them as they are.
    pub retry_scale: f64,
    /// How many workers may be lost with a step before it fails.
    pub max_crashes: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            retry_scale: 1.0,
            max_crashes: 3,
        }
    }
}

/// What happened to a step that a worker had, or to an item of one.
#[derive(Clone, Debug, PartialEq)]
pub enum StepEvent {
    /// It is done.
    Succeeded,
    /// The attempt failed, or was given up when its time was up.
    Failed {
        /// How.
        error: ToolError,
        /// How much jitter shortens the delay before the next attempt, in
        /// thousandths of the most that it may.
        jitter: u16,
    },
    /// Its own condition is false.
    Skipped,
    /// It fans out.
    Expanded {
        /// Over how many items.
        items: u32,
    },
    /// It is to be called again then, and not before.
    Slept {
        /// When.
        until: SystemTime,
    },
    /// The lease of its worker ended: the worker crashed, hangs or is cut off.
    Lost,
    /// Its worker gave it back undone, as one that shuts down does.
    Released,
}

/// The event does not fit the state: the run or the step has ended, or is not
/// in the hands of the one who tells. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the step or its run has moved on")
    }
}

impl error::Error for Refused {}

/// A run in motion. See the [module](super) for its rules.
pub struct Machine<'a> {
    pub(super) definition: &'a Definition,
    policy: &'a Policy,
    ids: &'a dyn Ids,
    pub(super) now: SystemTime,
    pub(super) run: RunRow,
    /// The steps, in the order of the definition.
    pub(super) steps: Vec<StepRow>,
    /// Whether the run is not stored yet.
    pub(super) is_new: bool,
    /// Positions of the steps that changed.
    pub(super) touched: BTreeSet<usize>,
    /// Stored items that changed.
    pub(super) items: Vec<StepRow>,
    /// Items that came into being.
    pub(super) created: Vec<StepRow>,
    pub(super) stopped: Vec<StepRunId>,
    pub(super) output: Option<Json>,
    pub(super) error: Option<RunError>,
    pub(super) errors: BTreeMap<StepRunId, StepError>,
    pub(super) events: Vec<Event>,
}

impl fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("run", &self.run)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<'a> Machine<'a> {
    /// A machine for a stored run; `None` if its steps are not those of the definition.
    pub fn resume(
        definition: &'a Definition,
        policy: &'a Policy,
        ids: &'a dyn Ids,
        now: SystemTime,
        state: RunState,
    ) -> Option<Self> {
        let mut machine = Self::new(definition, policy, ids, now, state.run);
        machine.steps = state.steps;
        let position = |row: &StepRow| definition.position(&row.step);
        machine.steps.sort_by_cached_key(position);
        let positions = machine.steps.iter().map(position);
        let expected = (0..definition.steps.len()).map(Some);
        positions.eq(expected).then_some(machine)
    }

    fn new(
        definition: &'a Definition,
        policy: &'a Policy,
        ids: &'a dyn Ids,
        now: SystemTime,
        run: RunRow,
    ) -> Self {
        Self {
            definition,
            policy,
            ids,
            now,
            run,
            steps: Vec::new(),
            is_new: false,
            touched: BTreeSet::new(),
            items: Vec::new(),
            created: Vec::new(),
            stopped: Vec::new(),
            output: None,
            error: None,
            errors: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// A machine for a run that begins now: steps that need none are ready.
    pub fn start(
        definition: &'a Definition,
        policy: &'a Policy,
        ids: &'a dyn Ids,
        now: SystemTime,
        run: RunRow,
    ) -> Self {
        let queued = Event::RunQueued {
            run_id: run.id,
            pipeline_id: run.pipeline_id,
        };
        let mut machine = Self::new(definition, policy, ids, now, run);
        machine.is_new = true;
        machine.events.push(queued);
        for step in &definition.steps {
            let row = machine.new_row(step);
            machine.steps.push(row);
        }
        for at in 0..machine.steps.len() {
            machine.release_if_free(at);
        }
        machine
    }

    /// Whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.run.status.is_ended()
    }

    /// Why step runs, or attempts at them, failed so far.
    pub fn errors(&self) -> &BTreeMap<StepRunId, StepError> {
        &self.errors
    }

    /// Tells what happened to a step run; `row` is the step run as it was claimed.
    ///
    /// Whether an item is still under that claim is not known here and must
    /// have been looked up.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the run or the step has ended, or the step was claimed anew.
    pub fn apply(&mut self, row: &StepRow, event: StepEvent) -> Result<(), Refused> {
        let at = self.definition.position(&row.step).ok_or(Refused)?;
        let step = self.steps.get(at).ok_or(Refused)?;
        let is_current = match row.index {
            None => step.status == StepStatus::Running && step.fence == row.fence,
            Some(_) => step.status == StepStatus::Waiting && row.parent == Some(step.id),
        };
        if self.has_ended() || !is_current {
            return Err(Refused);
        }
        let row = row.clone();
        match event {
            StepEvent::Succeeded => self.succeed(at, row),
            StepEvent::Failed { error, jitter } => self.fail(at, row, &error, jitter),
            StepEvent::Skipped => self.skip(at, row),
            StepEvent::Expanded { items } => self.expand(at, row, items),
            StepEvent::Slept { until } => self.sleep(at, row, until),
            StepEvent::Lost => self.lose(at, row),
            StepEvent::Released => self.requeue(at, row),
        }
        Ok(())
    }

    /// A fan-out all of whose items have ended, and whose outputs are to be
    /// joined now; [`joined`](Self::joined) must be told how that went.
    pub fn next_join(&self) -> Option<StepRunId> {
        let joins = |row: &&StepRow| {
            row.status == StepStatus::Waiting
                && row.items.is_some_and(|items| items.done == items.total)
        };
        let found = self.steps.iter().find(joins).map(|row| row.id);
        found.filter(|_| !self.has_ended())
    }

    /// Tells how the outputs of a fan-out's items were joined.
    pub fn joined(&mut self, step_run: StepRunId, result: Result<(), ToolError>) {
        let Some(at) = self.steps.iter().position(|row| row.id == step_run) else {
            return;
        };
        let row = self.steps[at].clone();
        match result {
            Ok(()) => self.succeed(at, row),
            Err(error) => self.give_up(at, row, &error),
        }
    }

    /// Whether every step has ended and the run has not, so that its outputs
    /// are to be evaluated now; [`conclude`](Self::conclude) must be told how that went.
    pub fn is_complete(&self) -> bool {
        !self.has_ended() && self.steps.iter().all(|row| row.status.is_ended())
    }

    /// Ends a complete run with its output, or with why there is none.
    pub fn conclude(&mut self, output: Result<Json, ToolError>) {
        self.settle();
        match output {
            Ok(output) => {
                self.output = Some(output);
                self.end(RunStatus::Succeeded);
                self.events.push(Event::RunSucceeded {
                    run_id: self.run.id,
                });
            }
            Err(error) => self.fail_run(&error, None),
        }
    }

    /// Cancels the run.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it has ended.
    pub fn cancel(&mut self) -> Result<(), Refused> {
        if self.has_ended() {
            return Err(Refused);
        }
        self.end(RunStatus::Cancelled);
        self.events.push(Event::RunCancelled {
            run_id: self.run.id,
        });
        Ok(())
    }

    /// Hands a step run that became ready here to a worker, if there is one that is due.
    pub fn take(&mut self, worker: WorkerId) -> Option<StepRow> {
        let now = self.now;
        let pools = self.created.iter_mut().chain(&mut self.items);
        let touched = &self.touched;
        let steps = self.steps.iter_mut().enumerate();
        let steps = steps.filter(|(at, _)| touched.contains(at));
        let mut rows = pools.chain(steps.map(|(_, row)| row));
        let row = rows.find(|row| row.is_due(now))?;
        row.status = StepStatus::Running;
        row.worker = Some(worker);
        row.attempt += 1;
        row.fence += 1;
        row.ready_at = None;
        row.started_at.get_or_insert(now);
        let row = row.clone();
        self.events.push(Event::StepStarted {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
            attempt: row.attempt.into(),
        });
        Some(row)
    }

    fn new_row(&self, step: &Step) -> StepRow {
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

    fn succeed(&mut self, at: usize, mut row: StepRow) {
        self.end_row(&mut row, StepStatus::Succeeded);
        self.events.push(Event::StepSucceeded {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
        });
        self.ended(at, row);
    }

    fn fail(&mut self, at: usize, mut row: StepRow, error: &ToolError, jitter: u16) {
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
            message: error.message.clone(),
        });
        row.sleeps = 0;
        self.make_ready(at, row, self.now + delay);
    }

    /// Fails a step or an item for good, and does what its step says under `on_error`.
    fn give_up(&mut self, at: usize, mut row: StepRow, error: &ToolError) {
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

    fn skip(&mut self, at: usize, row: StepRow) {
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

    fn expand(&mut self, at: usize, mut row: StepRow, total: u32) {
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

    fn sleep(&mut self, at: usize, mut row: StepRow, until: SystemTime) {
        self.events.push(Event::StepSleeping {
            run_id: self.run.id,
            step_run_id: row.id,
            step: row.step.clone(),
        });
        row.sleeps = row.sleeps.saturating_add(1);
        // The next claim belongs to the same attempt.
        row.attempt = row.attempt.saturating_sub(1);
        self.make_ready(at, row, until);
    }

    fn lose(&mut self, at: usize, mut row: StepRow) {
        row.crashes += 1;
        if row.crashes < self.policy.max_crashes {
            return self.requeue(at, row);
        }
        let message = format!("{} workers were lost while they ran this step", row.crashes);
        self.give_up(at, row, &ToolError::permanent("worker_lost", message));
    }

    fn requeue(&mut self, at: usize, mut row: StepRow) {
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

    fn release_if_free(&mut self, at: usize) {
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

    fn fail_run(&mut self, error: &ToolError, step: Option<usize>) {
        self.error = Some(RunError {
            code: error.code.clone(),
            message: error.message.clone(),
            step: step.map(|at| self.definition.steps[at].id.clone()),
        });
        self.end(RunStatus::Failed);
        self.events.push(Event::RunFailed {
            run_id: self.run.id,
            code: error.code.clone(),
            message: error.message.clone(),
        });
    }

    /// Ends the run, and cancels what has not ended of it.
    fn end(&mut self, status: RunStatus) {
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
