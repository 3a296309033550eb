//! One transaction around the engine: what happened to steps is judged,
//! written and recorded, and their workers go on with what became ready.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::Arc,
    time::SystemTime,
};

use super::{
    Adapters, Service,
    prepare::{self, Stop},
    scope,
};
use crate::{
    Error, Json, OrganizationId, Recorded, Result, RunId, StepRunId, ToolError,
    definition::Definition,
    engine::{Changes, Claim, Decision, Lease, Machine, RunRow, RunState, StepEvent},
    ports::{Repository, Scope, StepValues, Store as _, Transaction},
    size,
};

/// What happened to a step that was claimed, and the documents that go with it.
#[derive(Debug)]
pub struct Move {
    claim: Claim,
    event: StepEvent,
    values: StepValues,
    /// What it fans out over.
    pub(super) items: Option<Vec<Json>>,
    /// Whether its worker may go on with a step that becomes ready.
    pub(super) goes_on: bool,
    /// It ends its run, whose outputs have to be worked out before.
    open: Option<Arc<Open>>,
    /// What these came to.
    outputs: Option<Outputs>,
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
            open: None,
            outputs: None,
            moved: Err(Error::LeaseLost),
        }
    }

    /// With what its tool was called with, and what came of that.
    pub(super) fn with(mut self, input: Json, output: Option<Json>) -> Self {
        self.values.input = Some(input);
        self.values.output = output;
        self
    }

    /// Whether nothing was written because it ends its run, whose outputs are to be
    /// worked out first ([`Service::work_out`]).
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What came of it.
    ///
    /// # Errors
    ///
    /// Those of [`Service::finish`].
    pub fn moved(self) -> Result<Option<Claim>> {
        self.moved
    }
}

/// A run that some moves end, and what its outputs are made of. While those are
/// worked out nothing is locked, and so it may come otherwise.
#[derive(Debug)]
struct Open {
    /// Whose moves end it.
    by: Vec<Lease>,
    definition: Arc<Definition>,
    scope: Json,
}

/// The outputs of a run if these are the moves that end it. Every other step of
/// it has ended before, and what has ended stays as it is.
#[derive(Clone, Debug)]
struct Outputs {
    by: Vec<Lease>,
    value: Result<Json, ToolError>,
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
        self.settle(step).await
    }

    /// Works out the outputs that a move waits for, if it does, and tries again.
    ///
    /// # Errors
    ///
    /// Those of [`finish`](Self::finish).
    pub async fn settle(&self, mut step: Move) -> Result<Option<Claim>> {
        while step.is_open() {
            self.work_out(&mut step).await;
            self.advance(std::slice::from_mut(&mut step)).await;
        }
        step.moved
    }

    /// Works out the outputs of the run that a move ends.
    pub async fn work_out(&self, step: &mut Move) {
        if let Some(open) = step.open.take() {
            let (by, definition) = (open.by.clone(), Arc::clone(&open.definition));
            let value = self.outputs(definition, open.scope.clone()).await;
            step.outputs = Some(Outputs { by, value });
        }
    }

    /// The output of a run.
    pub(super) async fn outputs(
        &self,
        definition: Arc<Definition>,
        scope: Json,
    ) -> Result<Json, ToolError> {
        let expressions = Arc::clone(&self.expressions);
        let max_bytes = self.settings.max_value_bytes;
        let outputs =
            move || prepare::outputs(&definition, expressions.as_ref(), &scope, max_bytes);
        self.apart(outputs).await?
    }

    /// Judges moves, of whichever runs, and writes what follows: in one
    /// transaction, or where that fails in one for each run, so that none keeps
    /// back the others. Those that do not hold their step any more are refused
    /// with [`Error::LeaseLost`] and leave no trace. A run that cannot be read is
    /// failed, and its moves hear why. Moves that end a run whose outputs are not
    /// known yet stay [open](Move::is_open).
    pub async fn advance(&self, moves: &mut [Move]) {
        let mut runs = Moves::new();
        for step in moves {
            step.open = None;
            runs.entry(step.claim.run.id).or_default().push(step);
        }
        let mut waiting = vec![runs];
        while let Some(mut runs) = waiting.pop() {
            match self.advance_together(&mut runs).await {
                Ok(open) if open.is_empty() => {}
                Ok(open) => {
                    for (run, open) in open {
                        let moves = runs.remove(&run).unwrap_or_default();
                        for step in moves {
                            step.open = Some(Arc::clone(&open));
                        }
                    }
                    waiting.push(runs);
                }
                Err(_) if runs.len() > 1 => {
                    waiting.extend(runs.into_iter().map(|run| Moves::from([run])));
                }
                Err(error) => {
                    let moves = runs.into_values().flatten().collect();
                    self.refuse(moves, error).await;
                }
            }
        }
    }

    /// Answers the runs whose outputs have to be worked out first; nothing is
    /// written if there are any.
    async fn advance_together(&self, runs: &mut Moves<'_>) -> Result<HashMap<RunId, Arc<Open>>> {
        let mut open = HashMap::new();
        if runs.is_empty() {
            return Ok(open);
        }
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
            let id = state.run.id;
            if let (Some(moves), Some(definition)) = (runs.get_mut(&id), definitions.get(&id)) {
                let run = self.advance_run(&transaction, &mut batch, definition, now, state, moves);
                open.extend(run.await?.map(|run| (id, Arc::new(run))));
            }
        }
        if open.is_empty() && !batch.changes.is_empty() {
            transaction.apply(&batch.changes).await?;
            transaction.record(&batch.events).await?;
            transaction.commit().await?;
        }
        if open.is_empty() && batch.has_work {
            self.wakeups.wake();
        }
        Ok(open)
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
        definition: &Arc<Definition>,
        now: SystemTime,
        state: RunState,
        moves: &mut [&mut Move],
    ) -> Result<Option<Open>> {
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
            return Ok(None);
        }
        let written = self.write(repository, &machine, &accepted).await?;
        self.join(repository, &mut machine, &run).await?;
        if machine.is_complete() {
            let open = self.conclude(repository, definition, &mut machine, &run, &accepted);
            if let Some(open) = open.await? {
                return Ok(Some(open));
            }
        }
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
        Ok(None)
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

    /// Joins the fan-outs whose items have ended.
    async fn join(
        &self,
        repository: &impl Repository,
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
        Ok(())
    }

    /// Ends a run every step of which has ended, unless its outputs have to be
    /// worked out before: expressions are not evaluated while others wait.
    async fn conclude(
        &self,
        repository: &impl Repository,
        definition: &Arc<Definition>,
        machine: &mut Machine<'_>,
        run: &RunRow,
        accepted: &[&mut Move],
    ) -> Result<Option<Open>> {
        let template = &definition.outputs;
        if template.value.as_object().is_none_or(BTreeMap::is_empty) {
            machine.conclude(Ok(template.value.clone()));
            return Ok(None);
        }
        let by: Vec<Lease> = accepted.iter().map(|step| step.claim.lease()).collect();
        let known = accepted.iter().find_map(|step| step.outputs.as_ref());
        if let Some(known) = known.filter(|known| known.by == by) {
            machine.conclude(known.value.clone());
            return Ok(None);
        }
        let max_bytes = self.settings.max_results_bytes;
        match scope::of_run(repository, definition, run, &[template], max_bytes).await {
            Ok(mut scope) => {
                scope::bring_up_to_date(&mut scope, machine);
                Ok(Some(Open {
                    by,
                    definition: Arc::clone(definition),
                    scope: Json::Object(scope),
                }))
            }
            Err(Stop::Step(error)) => {
                machine.conclude(Err(error));
                Ok(None)
            }
            Err(Stop::Service(error)) => Err(error),
        }
    }
}
