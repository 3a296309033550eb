//! One transaction around the engine: what happened to steps is judged,
//! written and recorded, and their workers go on with what became ready.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::Arc,
    time::SystemTime,
};

use super::{Adapters, Service, prepare::expression_failed, scope, size};
use crate::{
    Error, Json, OrganizationId, Recorded, Result, RunId, StepRunId, ToolError,
    definition::Definition,
    engine::{Changes, Claim, Decision, Machine, RunRow, RunState, StepEvent},
    ports::{Expressions as _, Repository, Scope, StepValues, Store as _, Transaction},
};

/// What happened to a step that was claimed, and the documents that go with it.
pub(super) struct Move {
    claim: Claim,
    event: StepEvent,
    values: StepValues,
    /// What it fans out over.
    pub(super) items: Option<Vec<Json>>,
    /// Whether its worker may go on with a step that becomes ready.
    pub(super) goes_on: bool,
    /// What came of it: refused, or the claim its worker goes on with.
    pub(super) moved: Result<Option<Claim>>,
}

impl Move {
    pub(super) fn new(claim: &Claim, event: StepEvent) -> Self {
        Self {
            claim: claim.clone(),
            event,
            values: StepValues {
                organization: claim.run.organization_id,
                step_run: claim.step.id,
                input: None,
                output: None,
                error: None,
            },
            items: None,
            goes_on: true,
            moved: Err(Error::LeaseLost),
        }
    }

    /// With what its tool was called with, and what came of that.
    pub(super) fn with(mut self, input: Json, output: Option<Json>) -> Self {
        self.values.input = Some(input);
        self.values.output = output;
        self
    }
}

/// Moves by the runs they belong to; none is empty.
type Moves<'a> = BTreeMap<RunId, Vec<&'a mut Move>>;

/// What a transaction is to write after the moves of every run were judged.
#[derive(Default)]
struct Batch {
    changes: Vec<Changes>,
    events: Vec<Recorded>,
    has_work: bool,
}

impl Batch {
    fn add<A: Adapters>(
        &mut self,
        service: &Service<A>,
        organization: OrganizationId,
        now: SystemTime,
        decision: Decision,
    ) {
        self.changes.push(decision.changes);
        self.has_work |= decision.has_work;
        let events = decision.events.into_iter();
        let events = events.map(|event| service.recorded(organization, None, now, event));
        self.events.extend(events);
    }
}

impl<A: Adapters> Service<A> {
    /// [`advance`](Self::advance) for one move.
    pub(super) async fn advance_one(&self, mut step: Move) -> Result<Option<Claim>> {
        self.advance(std::slice::from_mut(&mut step)).await;
        step.moved
    }

    /// Judges moves, of whichever runs, and writes what follows: in one
    /// transaction, or where that fails in one for each run, so that none keeps
    /// back the others. Those that do not hold their step any more are refused
    /// with [`Error::LeaseLost`] and leave no trace. A run that cannot be read is
    /// failed, and its moves hear why.
    pub(super) async fn advance(&self, moves: &mut [Move]) {
        let mut runs = Moves::new();
        for step in moves {
            runs.entry(step.claim.run.id).or_default().push(step);
        }
        let mut waiting = vec![runs];
        while let Some(mut runs) = waiting.pop() {
            let Err(error) = self.advance_together(&mut runs).await else {
                continue;
            };
            if runs.len() > 1 {
                waiting.extend(runs.into_iter().map(|run| Moves::from([run])));
            } else {
                let moves = runs.into_values().flatten().collect();
                self.refuse(moves, error).await;
            }
        }
    }

    async fn advance_together(&self, runs: &mut Moves<'_>) -> Result<()> {
        for step in runs.values_mut().flatten() {
            step.moved = Err(Error::LeaseLost);
        }
        let now = self.clock.now();
        let definitions = self.definitions_of(runs).await?;
        let transaction = self.store.begin(Scope::System).await?;
        let keys: Vec<_> = runs
            .values()
            .map(|moves| moves[0].claim.run.key())
            .collect();
        let steps = runs.values().flatten().map(|step| &step.claim.step);
        let items = steps.filter(|step| step.parent.is_some());
        let items: Vec<StepRunId> = items.map(|step| step.id).collect();
        let mut batch = Batch::default();
        for state in transaction.lock_runs(&keys, &items).await? {
            let moves = runs.get_mut(&state.run.id);
            if let (Some(moves), Some(definition)) = (moves, definitions.get(&state.run.id)) {
                let run = self.advance_run(&transaction, &mut batch, definition, now, state, moves);
                run.await?;
            }
        }
        if !batch.changes.is_empty() {
            transaction.apply(&batch.changes).await?;
            transaction.record(&batch.events).await?;
            transaction.commit().await?;
        }
        if batch.has_work {
            self.wakeups.wake();
        }
        Ok(())
    }

    /// The definitions of runs, but for deleted ones.
    async fn definitions_of(&self, runs: &Moves<'_>) -> Result<HashMap<RunId, Arc<Definition>>> {
        let mut definitions = HashMap::new();
        for (id, moves) in runs {
            let run = &moves[0].claim.run;
            let key = (run.organization_id, run.pipeline_id, run.pipeline_version);
            if let Some(definition) = self.definition(key).await? {
                definitions.insert(*id, definition);
            }
        }
        Ok(definitions)
    }

    async fn advance_run(
        &self,
        repository: &impl Repository,
        batch: &mut Batch,
        definition: &Definition,
        now: SystemTime,
        state: RunState,
        moves: &mut [&mut Move],
    ) -> Result<()> {
        let run = state.run.clone();
        let mut machine = self.machine(definition, now, state)?;
        let mut accepted: Vec<&mut Move> = Vec::new();
        for step in moves {
            let lease = step.claim.lease();
            if machine.apply(lease, step.event.clone()).is_ok() {
                accepted.push(step);
            }
        }
        if accepted.is_empty() {
            return Ok(());
        }
        let written = self.write(repository, &machine, &accepted).await?;
        self.complete(repository, definition, &mut machine, &run)
            .await?;
        for step in accepted {
            let worker = step.claim.step.worker.filter(|_| step.goes_on);
            let taken = worker.and_then(|worker| machine.take(worker));
            let run = run.clone();
            step.moved = Ok(taken.map(|step| Claim { run, step }));
        }
        let mut decision = machine.decide();
        let rest = mem::take(&mut decision.errors).into_iter();
        let rest: Vec<StepValues> = rest
            .filter(|(id, _)| !written.contains(id))
            .map(|(step_run, error)| StepValues {
                organization: run.organization_id,
                step_run,
                input: None,
                output: None,
                error: Some(error),
            })
            .collect();
        if !rest.is_empty() {
            repository.put_values(&rest).await?;
        }
        batch.add(self, run.organization_id, now, decision);
        Ok(())
    }

    /// The machine of a stored run.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if its steps are not those of the definition.
    pub(super) fn machine<'a>(
        &'a self,
        definition: &'a Definition,
        now: SystemTime,
        state: RunState,
    ) -> Result<Machine<'a>> {
        let policy = &self.settings.policy;
        let machine = Machine::resume(definition, policy, self.ids.as_ref(), now, state);
        machine.ok_or_else(|| {
            Error::unreadable("the steps of the run are not those of its definition")
        })
    }

    /// Tells the moves of one run why they came to nothing, and fails the run if
    /// it always will.
    async fn refuse(&self, moves: Vec<&mut Move>, error: Error) {
        let run = moves.first().map(|step| step.claim.run.key());
        let error = match (run, error) {
            (Some(run), Error::Unreadable(cause)) => {
                let given_up = self.give_up_run(run).await.err();
                given_up.unwrap_or(Error::Unreadable(cause))
            }
            (_, error) => error,
        };
        let error = Arc::new(error);
        for step in moves {
            step.moved = Err(error.shared());
        }
    }

    async fn give_up_run(&self, run: (OrganizationId, RunId)) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.store.begin(Scope::System).await?;
        let state = transaction.lock_runs(&[run], &[]).await?.pop();
        let error = ToolError::permanent("unreadable", "what is kept of the run cannot be read");
        let policy = &self.settings.policy;
        let give_up = |state| Machine::give_up_run(policy, self.ids.as_ref(), now, state, &error);
        if let Some(decision) = state.and_then(give_up) {
            let mut batch = Batch::default();
            batch.add(self, run.0, now, decision);
            transaction.apply(&batch.changes).await?;
            transaction.record(&batch.events).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Writes the documents of accepted moves; answers whose.
    async fn write(
        &self,
        repository: &impl Repository,
        machine: &Machine<'_>,
        accepted: &[&mut Move],
    ) -> Result<HashSet<StepRunId>> {
        let mut written = Vec::new();
        for step in accepted {
            let mut values = step.values.clone();
            values.error = machine.errors().get(&values.step_run).cloned();
            if let Some(items) = &step.items {
                let put = repository.put_items(values.organization, values.step_run, items);
                put.await?;
            }
            if values.input.is_some() || values.output.is_some() || values.error.is_some() {
                written.push(values);
            }
        }
        if !written.is_empty() {
            repository.put_values(&written).await?;
        }
        Ok(written.iter().map(|values| values.step_run).collect())
    }

    /// Joins the fan-outs whose items have ended, and ends the run if every step has.
    async fn complete(
        &self,
        repository: &impl Repository,
        definition: &Definition,
        machine: &mut Machine<'_>,
        run: &RunRow,
    ) -> Result<()> {
        let max_bytes = self.settings.max_value_bytes;
        while let Some(id) = machine.next_join() {
            let joined = repository.join_items(run.organization_id, id, max_bytes);
            let result = if joined.await? {
                Ok(())
            } else {
                Err(size::too_large(max_bytes, "output"))
            };
            machine.joined(id, result);
        }
        if machine.is_complete() {
            let templates = [&definition.outputs];
            let scope = scope::of_run(repository, definition, run, &templates).await?;
            machine.conclude(self.outputs(definition, scope));
        }
        Ok(())
    }

    /// The output of a run.
    pub(super) fn outputs(
        &self,
        definition: &Definition,
        scope: BTreeMap<String, Json>,
    ) -> Result<Json, ToolError> {
        let template = &definition.outputs.value;
        let output = self.expressions.evaluate(template, &Json::Object(scope));
        let output = output.map_err(|error| expression_failed("/outputs", &error))?;
        size::check(&output, self.settings.max_value_bytes, "output")?;
        Ok(output)
    }
}
