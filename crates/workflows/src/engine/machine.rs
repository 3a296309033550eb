//! The state machine of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::SystemTime,
};

use super::{Decision, Lease, Policy, Refused, RunRow, RunState, StepEvent, StepRow};
use crate::{
    Event, Ids, Json, RunError, RunStatus, StepError, StepRunId, StepStatus, ToolError, WorkerId,
    definition::Definition,
};

/// A run in motion. See the [module](super) for its rules.
pub struct Machine<'a> {
    pub(super) definition: &'a Definition,
    pub(super) policy: &'a Policy,
    pub(super) ids: &'a dyn Ids,
    pub(super) now: SystemTime,
    pub(super) run: RunRow,
    /// The steps, in the order of the definition.
    pub(super) steps: Vec<StepRow>,
    /// Whether the run is not stored yet.
    pub(super) is_new: bool,
    /// Positions of the steps that changed.
    pub(super) touched: BTreeSet<usize>,
    /// Stored items that nothing happened to yet.
    stored: Vec<StepRow>,
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
        machine.stored = state.items;
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
            stored: Vec::new(),
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

    /// What follows if a stored run has to be given up without a look at its
    /// definition; `None` if it has ended.
    pub fn give_up_run(
        policy: &Policy,
        ids: &dyn Ids,
        now: SystemTime,
        state: RunState,
        error: &ToolError,
    ) -> Option<Decision> {
        let unknown = Definition::default();
        let mut machine = Machine::new(&unknown, policy, ids, now, state.run);
        machine.steps = state.steps;
        if machine.has_ended() {
            return None;
        }
        machine.fail_run(error, None);
        Some(machine.decide())
    }

    /// Whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.run.status.is_ended()
    }

    /// Why step runs, or attempts at them, failed so far.
    pub fn errors(&self) -> &BTreeMap<StepRunId, StepError> {
        &self.errors
    }

    /// Tells what happened to a step run under a lease.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the run or the step has ended, or the step was claimed anew.
    pub fn apply(&mut self, lease: Lease, event: StepEvent) -> Result<(), Refused> {
        let (at, row) = self.take_held(lease).ok_or(Refused)?;
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

    /// A step run that is held under a lease, and the position of its step. An
    /// item is taken away, for it changes now.
    fn take_held(&mut self, lease: Lease) -> Option<(usize, StepRow)> {
        if self.has_ended() {
            return None;
        }
        let is_held = |row: &StepRow| row.status == StepStatus::Running && row.lease() == lease;
        if let Some(at) = self.steps.iter().position(is_held) {
            return Some((at, self.steps[at].clone()));
        }
        let item = self.stored.iter().position(is_held)?;
        let parent = self.stored[item].parent?;
        let fans_out = |row: &StepRow| row.status == StepStatus::Waiting && row.id == parent;
        let at = self.steps.iter().position(fans_out)?;
        Some((at, self.stored.swap_remove(item)))
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

    /// The steps of the run, as they are now.
    pub fn steps(&self) -> &[StepRow] {
        &self.steps
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
        self.settle();
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
}
