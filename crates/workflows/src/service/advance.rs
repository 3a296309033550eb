//! One transaction around the engine: what happened to steps is judged,
//! written and recorded, and their workers go on with what became ready.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::SystemTime,
};

use super::{Adapters, Service, prepare::expression_failed, scope, size};
use crate::{
    Error, Json, Recorded, Result, RunId, StepRunId, ToolError,
    definition::Definition,
    engine::{Changes, Claim, Lease, Machine, RunRow, RunState, StepEvent},
    ports::{Expressions as _, Repository, Scope, StepValues, Store as _, Transaction as _},
};

/// What happened to a step that was claimed, and the documents that go with it.
pub(super) struct Move {
    claim: Claim,
    event: StepEvent,
    /// What its tool was called with.
    pub(super) input: Option<Json>,
    /// What came of it.
    pub(super) output: Option<Json>,
    /// What it fans out over.
    pub(super) items: Option<Vec<Json>>,
    /// Whether its worker may go on with a step that becomes ready.
    pub(super) goes_on: bool,
}

impl Move {
    pub(super) fn new(claim: &Claim, event: StepEvent) -> Self {
        Self {
            claim: claim.clone(),
            event,
            input: None,
            output: None,
            items: None,
            goes_on: true,
        }
    }
}

/// What came of a move: refused, or the claim its worker goes on with.
pub(super) type Moved = Result<Option<Claim>>;

/// What a transaction is to write after the moves of every run were judged.
#[derive(Default)]
struct Batch {
    changes: Vec<Changes>,
    events: Vec<Recorded>,
    has_work: bool,
}

impl<A: Adapters> Service<A> {
    /// [`advance`](Self::advance) for one move.
    pub(super) async fn advance_one(&self, step: Move) -> Moved {
        let moved = self.advance(vec![step]).await?;
        moved.into_iter().next().unwrap_or(Err(Error::LeaseLost))
    }

    /// Judges moves, of whichever runs, and writes what follows in one
    /// transaction. Answers what came of each; those that do not hold their
    /// step any more are refused with [`Error::LeaseLost`] and leave no trace.
    pub(super) async fn advance(&self, moves: Vec<Move>) -> Result<Vec<Moved>> {
        let now = self.clock.now();
        let definitions = self.definitions_of(&moves).await?;
        let mut moved: Vec<Moved> = moves.iter().map(|_| Err(Error::LeaseLost)).collect();

        let transaction = self.store.begin(Scope::System).await?;
        let runs: BTreeSet<_> = moves
            .iter()
            .map(|step| (step.claim.run.organization_id, step.claim.run.id))
            .collect();
        let runs: Vec<_> = runs.into_iter().collect();
        let states = transaction.lock_runs(&runs).await?;
        let leases: Vec<Lease> = moves.iter().map(|step| step.claim.lease()).collect();
        let held: HashSet<Lease> = transaction.held(&leases).await?.into_iter().collect();

        let mut by_run: HashMap<RunId, Vec<(Move, &mut Moved)>> = HashMap::new();
        for (step, moved) in moves.into_iter().zip(&mut moved) {
            if held.contains(&step.claim.lease()) {
                let moves = by_run.entry(step.claim.run.id).or_default();
                moves.push((step, moved));
            }
        }
        let mut batch = Batch::default();
        for state in states {
            let moves = by_run.remove(&state.run.id);
            let definition = definitions.get(&state.run.id);
            if let (Some(moves), Some(definition)) = (moves, definition) {
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
        Ok(moved)
    }

    /// The definitions of the runs that moves belong to, but for deleted ones.
    async fn definitions_of(&self, moves: &[Move]) -> Result<HashMap<RunId, Arc<Definition>>> {
        let mut definitions = HashMap::new();
        for run in moves.iter().map(|step| &step.claim.run) {
            let key = (run.organization_id, run.pipeline_id, run.pipeline_version);
            if !definitions.contains_key(&run.id)
                && let Some(definition) = self.definition(key).await?
            {
                definitions.insert(run.id, definition);
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
        moves: Vec<(Move, &mut Moved)>,
    ) -> Result<()> {
        let run = state.run.clone();
        let policy = &self.settings.policy;
        let machine = Machine::resume(definition, policy, self.ids.as_ref(), now, state);
        let mut machine = machine.ok_or_else(|| {
            Error::unavailable(format!(
                "the steps of run {} are not those of its definition",
                run.id
            ))
        })?;
        let mut accepted = Vec::new();
        for (step, moved) in moves {
            if machine.apply(&step.claim.step, step.event.clone()).is_ok() {
                accepted.push((step, moved));
            }
        }
        if accepted.is_empty() {
            return Ok(());
        }
        let written = self
            .write(repository, &run, &machine, &mut accepted)
            .await?;
        self.complete(repository, definition, &mut machine, &run)
            .await?;
        for (step, moved) in accepted {
            let worker = step.claim.step.worker.filter(|_| step.goes_on);
            let taken = worker.and_then(|worker| machine.take(worker));
            let run = run.clone();
            *moved = Ok(taken.map(|step| Claim { run, step }));
        }
        let decision = machine.decide();
        let rest = decision.errors.into_iter();
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
        batch.changes.push(decision.changes);
        batch.has_work |= decision.has_work;
        let organization = run.organization_id;
        let events = decision.events.into_iter();
        let events = events.map(|event| self.recorded(organization, None, now, event));
        batch.events.extend(events);
        Ok(())
    }

    /// Writes the documents of accepted moves; answers whose.
    async fn write(
        &self,
        repository: &impl Repository,
        run: &RunRow,
        machine: &Machine<'_>,
        accepted: &mut [(Move, &mut Moved)],
    ) -> Result<HashSet<StepRunId>> {
        let mut values = Vec::new();
        for (step, _) in accepted {
            let id = step.claim.step.id;
            let value = StepValues {
                organization: run.organization_id,
                step_run: id,
                input: step.input.take(),
                output: step.output.take(),
                error: machine.errors().get(&id).cloned(),
            };
            if value.input.is_some() || value.output.is_some() || value.error.is_some() {
                values.push(value);
            }
            if let Some(items) = step.items.take() {
                let organization = run.organization_id;
                repository.put_items(organization, id, &items).await?;
            }
        }
        if !values.is_empty() {
            repository.put_values(&values).await?;
        }
        Ok(values.into_iter().map(|value| value.step_run).collect())
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
