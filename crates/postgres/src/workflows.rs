//! The tables of workflows: pipelines, their runs, and the queue of steps.

mod changes;
mod logs;
mod octets;
mod pipelines;
mod queue;
mod runs;
mod steps;
mod values;

use std::time::{Duration, SystemTime};

use archesai_workflows::{
    Error, Json, LogEntry, LogLine, OrganizationId, Page, Pipeline, PipelineId, Recorded, Result,
    Run, RunId, Slice, StepRun, StepRunId, WorkerId,
    engine::{Changes, Claim, RunState, StepRow},
    ports::{
        PipelineSort, Repository, RunFilter, RunSort, Scope, StepResult, StepSort, StepValues,
        Store, Transaction,
    },
};

use crate::{
    errand::{Link, read, together, write},
    events::new_event,
    lend::{Lend, Open, Pooled, Postgres},
    session::Scope as For,
    settings::LeaseClock,
    task,
    types::Time,
};
use queue::Now;

/// What a task of this domain comes to.
type TaskResult<T> = task::TaskResult<T, Error>;

/// What belongs to an organization.
const fn of(organization: OrganizationId) -> For {
    For::Tenant(organization.0)
}

impl<L: Lend> Postgres<L> {
    fn now(&self, now: SystemTime) -> Now {
        let called = Time(now);
        Now {
            called,
            leases: match self.0.ways().lease_clock {
                LeaseClock::Database => None,
                LeaseClock::Caller => Some(called),
            },
        }
    }
}

impl<L: Lend> Repository for Postgres<L> {
    async fn insert_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let insert = async |link: Link<'_>| pipelines::insert(link, pipeline).await;
        let scope = of(pipeline.organization_id);
        self.0.run(write(scope), insert).await
    }

    async fn find_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<Pipeline>> {
        let find = async |link: Link<'_>| pipelines::find(link, organization, id).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn list_pipelines(
        &self,
        organization: OrganizationId,
        slice: &Slice<PipelineSort>,
    ) -> Result<Page<Pipeline>> {
        let list = async |link: Link<'_>| pipelines::list(link, organization, slice).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn update_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let update = async |link: Link<'_>| pipelines::update(link, pipeline).await;
        let scope = of(pipeline.organization_id);
        self.0.run(write(scope), update).await
    }

    async fn delete_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<u64>> {
        let delete = async |link: Link<'_>| pipelines::delete(link, organization, id).await;
        let errand = write(of(organization)).at_length();
        self.0.run(errand, delete).await
    }

    async fn find_definition(
        &self,
        organization: OrganizationId,
        pipeline: PipelineId,
        version: u64,
    ) -> Result<Option<Json>> {
        let find = async |link: Link<'_>| {
            pipelines::find_definition(link, organization, pipeline, version).await
        };
        self.0.run(read(of(organization)), find).await
    }

    async fn insert_run(&self, run: &Run, steps: &[StepRow]) -> Result<()> {
        let insert = async |link: Link<'_>| runs::insert(link, run, steps).await;
        self.0.run(write(of(run.organization_id)), insert).await
    }

    async fn find_run(&self, organization: OrganizationId, id: RunId) -> Result<Option<Run>> {
        let find = async |link: Link<'_>| runs::find(link, organization, id).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn list_runs(
        &self,
        organization: OrganizationId,
        filter: RunFilter,
        slice: &Slice<RunSort>,
    ) -> Result<Page<Run>> {
        let list = async |link: Link<'_>| runs::list(link, organization, filter, slice).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn list_steps(
        &self,
        organization: OrganizationId,
        run: RunId,
        slice: &Slice<StepSort>,
    ) -> Result<Page<StepRun>> {
        let list = async |link: Link<'_>| steps::list(link, organization, run, slice).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn append_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: StepRunId,
        entries: &[LogEntry],
    ) -> Result<()> {
        let append = logs::append(organization, run, step_run, entries);
        let errand = together(of(organization));
        self.0.later(errand, vec![append]).await
    }

    async fn list_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: Option<StepRunId>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        let list = async |link: Link<'_>| {
            logs::list(link, organization, run, step_run, after, limit).await
        };
        self.0.run(read(of(organization)), list).await
    }

    async fn find_run_input(
        &self,
        organization: OrganizationId,
        run: RunId,
    ) -> Result<Option<Json>> {
        let find = async |link: Link<'_>| runs::find_input(link, organization, run).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn find_step_results(
        &self,
        organization: OrganizationId,
        run: RunId,
        steps: &[String],
        max_bytes: u64,
    ) -> Result<Option<Vec<StepResult>>> {
        let find =
            async |link: Link<'_>| steps::results(link, organization, run, steps, max_bytes).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn find_item(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        index: u32,
    ) -> Result<Option<Json>> {
        let find =
            async |link: Link<'_>| values::find_item(link, organization, step_run, index).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn next_due(&self) -> Result<Option<SystemTime>> {
        let look = async |link: Link<'_>| queue::next_due(link).await;
        self.0.run(read(For::System), look).await
    }

    async fn claim(
        &self,
        worker: WorkerId,
        limit: u32,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let now = self.now(now);
        let claim = async |link: Link<'_>| queue::claim(link, worker, limit, lease, now).await;
        self.0.run(write(For::System), claim).await
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let now = self.now(now);
        let beat = async |link: Link<'_>| queue::heartbeat(link, worker, lease, now).await;
        self.0.run(write(For::System), beat).await
    }

    async fn expired(&self, limit: u32, now: SystemTime) -> Result<Vec<Claim>> {
        let now = self.now(now);
        let look = async |link: Link<'_>| queue::expired(link, limit, now).await;
        self.0.run(read(For::System), look).await
    }

    async fn lock_runs(
        &self,
        runs: &[(OrganizationId, RunId)],
        items: &[StepRunId],
    ) -> Result<Vec<RunState>> {
        let states = async |link: Link<'_>| runs::states(link, runs, items).await;
        self.0.run(read(For::System), states).await
    }

    async fn put_values(&self, values: &[StepValues]) -> Result<()> {
        let put = vec![values::put(values)?];
        self.0.later(together(For::System), put).await
    }

    async fn put_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        items: &[Json],
    ) -> Result<()> {
        let put = values::put_items(organization, step_run, items)?;
        self.0.later(together(of(organization)), put).await
    }

    async fn join_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        max_bytes: u64,
    ) -> Result<bool> {
        let join = async |link: Link<'_>| {
            values::join_items(link, organization, step_run, max_bytes).await
        };
        self.0.run(write(of(organization)), join).await
    }

    async fn apply(&self, changes: &[Changes]) -> Result<()> {
        let apply = changes::apply(changes)?;
        self.0.later(together(For::System), apply).await
    }

    async fn record(&self, events: &[Recorded]) -> Result<()> {
        let events: Vec<_> = events.iter().map(|event| new_event!(event)).collect();
        self.append(events).await
    }
}

impl Store for Postgres<Pooled> {
    type Transaction = Postgres<Open>;

    async fn begin(&self, scope: Scope) -> Result<Postgres<Open>> {
        let scope = match scope {
            Scope::Organization(organization) => of(organization),
            Scope::System => For::System,
        };
        self.begin_for(scope).await
    }
}

impl Transaction for Postgres<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await
    }
}
