//! The tables of workflows: pipelines, their runs, and the queue of steps.
//!
//! Most calls are more than one statement, so each runs as one task on the
//! thread of its connection instead of going there and back for every statement.

mod changes;
mod columns;
mod logs;
mod octets;
mod pipelines;
mod queue;
mod runs;
mod steps;
mod task;
mod update;
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
    events::new_event,
    lend::{Lend, Open, Pooled, Sqlite},
    task::{posting, reading, writing},
    types::Time,
};
use columns::json;

impl<L: Lend> Repository for Sqlite<L> {
    async fn insert_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let row = pipelines::Row::from(pipeline);
        let definition = json(&pipeline.definition)?;
        writing(&self.0, move |c| pipelines::insert(c, &row, &definition)).await
    }

    async fn find_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<Pipeline>> {
        reading(&self.0, move |c| pipelines::find(c, organization, id)).await
    }

    async fn list_pipelines(
        &self,
        organization: OrganizationId,
        slice: &Slice<PipelineSort>,
    ) -> Result<Page<Pipeline>> {
        let slice = slice.clone();
        reading(&self.0, move |c| pipelines::list(c, organization, &slice)).await
    }

    async fn update_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let row = pipelines::Row::from(pipeline);
        let definition = json(&pipeline.definition)?;
        writing(&self.0, move |c| pipelines::update(c, &row, &definition)).await
    }

    async fn delete_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<u64>> {
        writing(&self.0, move |c| pipelines::delete(c, organization, id)).await
    }

    async fn find_definition(
        &self,
        organization: OrganizationId,
        pipeline: PipelineId,
        version: u64,
    ) -> Result<Option<Json>> {
        reading(&self.0, move |c| {
            pipelines::find_definition(c, organization, pipeline, version)
        })
        .await
    }

    async fn insert_run(&self, run: &Run, steps: &[StepRow]) -> Result<()> {
        let new = runs::New::try_from(run)?;
        let steps: Vec<_> = steps
            .iter()
            .map(|step| steps::Row::new(run.id, step))
            .collect();
        writing(&self.0, move |c| runs::insert(c, &new, &steps)).await
    }

    async fn find_run(&self, organization: OrganizationId, id: RunId) -> Result<Option<Run>> {
        reading(&self.0, move |c| runs::find(c, organization, id)).await
    }

    async fn list_runs(
        &self,
        organization: OrganizationId,
        filter: RunFilter,
        slice: &Slice<RunSort>,
    ) -> Result<Page<Run>> {
        let slice = slice.clone();
        reading(&self.0, move |c| {
            runs::list(c, organization, filter, &slice)
        })
        .await
    }

    async fn list_steps(
        &self,
        organization: OrganizationId,
        run: RunId,
        slice: &Slice<StepSort>,
    ) -> Result<Page<StepRun>> {
        let slice = slice.clone();
        reading(&self.0, move |c| steps::list(c, organization, run, &slice)).await
    }

    async fn append_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: StepRunId,
        entries: &[LogEntry],
    ) -> Result<()> {
        let entries = entries.to_vec();
        writing(&self.0, move |c| {
            logs::append(c, organization, run, step_run, entries)
        })
        .await
    }

    async fn list_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: Option<StepRunId>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        reading(&self.0, move |c| {
            logs::list(c, organization, run, step_run, after, limit)
        })
        .await
    }

    async fn find_run_input(
        &self,
        organization: OrganizationId,
        run: RunId,
    ) -> Result<Option<Json>> {
        reading(&self.0, move |c| runs::find_input(c, organization, run)).await
    }

    async fn find_step_results(
        &self,
        organization: OrganizationId,
        run: RunId,
        steps: &[String],
        max_bytes: u64,
    ) -> Result<Option<Vec<StepResult>>> {
        let steps = steps.to_vec();
        reading(&self.0, move |c| {
            steps::results(c, organization, run, steps, max_bytes)
        })
        .await
    }

    async fn find_item(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        index: u32,
    ) -> Result<Option<Json>> {
        reading(&self.0, move |c| {
            values::find_item(c, organization, step_run, index)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<SystemTime>> {
        reading(&self.0, queue::next_due).await
    }

    async fn claim(
        &self,
        worker: WorkerId,
        limit: u32,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let (until, now) = (Time(now + lease), Time(now));
        writing(&self.0, move |c| queue::claim(c, worker, limit, until, now)).await
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let (until, now) = (Time(now + lease), Time(now));
        writing(&self.0, move |c| queue::heartbeat(c, worker, until, now)).await
    }

    async fn expired(&self, limit: u32, now: SystemTime) -> Result<Vec<Claim>> {
        reading(&self.0, move |c| queue::expired(c, limit, Time(now))).await
    }

    async fn lock_runs(
        &self,
        runs: &[(OrganizationId, RunId)],
        items: &[StepRunId],
    ) -> Result<Vec<RunState>> {
        let (runs, items) = (runs.to_vec(), items.to_vec());
        reading(&self.0, move |c| runs::states(c, runs, &items)).await
    }

    async fn put_values(&self, values: &[StepValues]) -> Result<()> {
        let values = prepared(values)?;
        posting(&self.0, move |c| values::put(c, values)).await
    }

    async fn put_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        items: &[Json],
    ) -> Result<()> {
        let items = items.iter().map(json).collect::<Result<Vec<_>>>()?;
        writing(&self.0, move |c| {
            values::put_items(c, organization, step_run, items)
        })
        .await
    }

    async fn join_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        max_bytes: u64,
    ) -> Result<bool> {
        writing(&self.0, move |c| {
            values::join_items(c, organization, step_run, max_bytes)
        })
        .await
    }

    async fn apply(&self, changes: &[Changes]) -> Result<()> {
        let changes = prepared(changes)?;
        posting(&self.0, move |c| changes::apply(c, changes)).await
    }

    async fn record(&self, events: &[Recorded]) -> Result<()> {
        let events: Vec<_> = events.iter().map(|event| new_event!(event)).collect();
        self.append(events).await.map_err(Error::unavailable)
    }
}

/// Values as they are written, so that the thread of the connection only writes.
fn prepared<'a, T, P>(values: &'a [T]) -> Result<Vec<P>>
where
    P: TryFrom<&'a T, Error = Error>,
{
    values.iter().map(P::try_from).collect()
}

impl Store for Sqlite<Pooled> {
    type Transaction = Sqlite<Open>;

    /// The scope matters to row-level security, which there is none of here:
    /// every query names its organization.
    async fn begin(&self, _scope: Scope) -> Result<Sqlite<Open>> {
        self.0.0.begin().await.map_err(Error::unavailable)
    }
}

impl Transaction for Sqlite<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await.map_err(Error::unavailable)
    }
}
