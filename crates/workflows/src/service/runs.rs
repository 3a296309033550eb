//! Running pipelines, and watching them run.

use std::sync::Arc;

use super::{Actor, Adapters, Service, scope};
use crate::{
    Error, Json, LogLine, OrganizationId, Page, PipelineId, Result, Run, RunId, RunStatus, Slice,
    StepRun, StepRunId, Violation,
    definition::Definition,
    engine::{Decision, Machine, RunRow},
    ports::{Repository, RunFilter, RunSort, Scope, StepSort, Store as _, Transaction},
    size,
};

impl<A: Adapters> Service<A> {
    /// Starts a run of the pipeline as it is now; answers the one that the organization
    /// has already under this identity.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`], with places in an object of `input`;
    /// [`Error::AlreadyExists`] if the identity is that of a run elsewhere.
    pub async fn start_run(
        &self,
        actor: Actor,
        id: RunId,
        pipeline: PipelineId,
        input: &Json,
    ) -> Result<Run> {
        let organization = actor.organization_id;
        let pipeline = self.pipeline(organization, pipeline).await?;
        let key = (organization, pipeline.id, pipeline.version);
        let definition = self.definition(key).await?.ok_or(Error::NotFound)?;
        let input = self.check_input(&definition, input)?;
        let now = self.clock.now();
        let row = RunRow {
            id,
            organization_id: organization,
            pipeline_id: pipeline.id,
            pipeline_version: pipeline.version,
            status: RunStatus::Queued,
            progress: 0,
            created_by: actor.user_id,
            started_at: None,
            completed_at: None,
        };
        let policy = &self.settings.policy;
        let scope = scope::of_start(&definition, &row, &input);
        let mut machine = Machine::start(&definition, policy, self.ids.as_ref(), now, row);
        if machine.is_complete() {
            let outputs = self.outputs(Arc::clone(&definition), Json::Object(scope));
            machine.conclude(outputs.await);
        }
        let decision = machine.decide();
        let changes = &decision.changes;
        let run = Run {
            id: changes.run.id,
            organization_id: organization,
            pipeline_id: pipeline.id,
            pipeline_version: pipeline.version,
            status: changes.run.status,
            progress: changes.run.progress,
            input,
            output: changes.output.clone(),
            error: changes.error.clone(),
            created_by: actor.user_id,
            created_at: now,
            started_at: changes.run.started_at,
            completed_at: changes.run.completed_at,
        };
        let scope = Scope::Organization(organization);
        let transaction = self.store.begin(scope).await?;
        match transaction.insert_run(&run, &changes.created).await {
            Err(Error::AlreadyExists) => {
                drop(transaction);
                let found = self.store.find_run(organization, id).await?;
                return found.ok_or(Error::AlreadyExists);
            }
            inserted => inserted?,
        }
        self.record_and_commit(transaction, actor, decision).await?;
        Ok(run)
    }

    fn check_input(&self, definition: &Definition, input: &Json) -> Result<Json> {
        let max_bytes = self.settings.max_value_bytes;
        let checked = if size::fits(input, max_bytes) {
            definition.check_input(input)
        } else {
            let detail = format!("is larger than {max_bytes} bytes of compact JSON");
            Err(vec![Violation::new("", detail)])
        };
        checked.map_err(|violations| {
            let places = violations.into_iter().map(|one| one.under("/input"));
            Error::Invalid(places.collect())
        })
    }

    /// Finds a run.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn run(&self, organization: OrganizationId, id: RunId) -> Result<Run> {
        let found = self.store.find_run(organization, id).await?;
        found.ok_or(Error::NotFound)
    }

    /// The runs of an organization.
    pub async fn list_runs(
        &self,
        organization: OrganizationId,
        filter: RunFilter,
        slice: &Slice<RunSort>,
    ) -> Result<Page<Run>> {
        self.store.list_runs(organization, filter, slice).await
    }

    /// The steps of a run and the items of their fan-outs.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if there is no such run.
    pub async fn list_steps(
        &self,
        organization: OrganizationId,
        run: RunId,
        slice: &Slice<StepSort>,
    ) -> Result<Page<StepRun>> {
        self.run(organization, run).await?;
        self.store.list_steps(organization, run, slice).await
    }

    /// The first `limit` lines of a run's log after a sequence number, of one
    /// step run only where it is named.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if there is no such run.
    pub async fn list_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: Option<StepRunId>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        self.run(organization, run).await?;
        self.store
            .list_logs(organization, run, step_run, after, limit)
            .await
    }

    /// Cancels a run. No step of it begins after this; what is running is told to stop.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::RunEnded`] if it has, in whatever way.
    pub async fn cancel_run(&self, actor: Actor, id: RunId) -> Result<Run> {
        let organization = actor.organization_id;
        let run = self.run(organization, id).await?;
        let key = (organization, run.pipeline_id, run.pipeline_version);
        let definition = self.definition(key).await?.ok_or(Error::NotFound)?;
        let now = self.clock.now();
        let scope = Scope::Organization(organization);
        let transaction = self.store.begin(scope).await?;
        let states = transaction.lock_runs(&[(organization, id)], &[]).await?;
        let state = states.into_iter().next().ok_or(Error::NotFound)?;
        let mut machine = self.machine(&definition, now, state)?;
        machine.cancel().map_err(|_| Error::RunEnded)?;
        let decision = machine.decide();
        let row = decision.changes.run.clone();
        transaction
            .apply(std::slice::from_ref(&decision.changes))
            .await?;
        self.record_and_commit(transaction, actor, decision).await?;
        Ok(Run {
            status: row.status,
            progress: row.progress,
            started_at: row.started_at,
            completed_at: row.completed_at,
            ..run
        })
    }

    async fn record_and_commit(
        &self,
        transaction: impl Transaction,
        actor: Actor,
        decision: Decision,
    ) -> Result<()> {
        let now = self.clock.now();
        let events = decision.events.into_iter();
        let record = |event| self.recorded(actor.organization_id, Some(actor.user_id), now, event);
        let events: Vec<_> = events.map(record).collect();
        transaction.record(&events).await?;
        transaction.commit().await?;
        if decision.has_work {
            self.wakeups.wake();
        }
        Ok(())
    }
}
