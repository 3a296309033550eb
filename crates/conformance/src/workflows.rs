//! What a store of workflows must do: one function for each promise of the port.

mod documents;
mod engine;
mod pipelines;
pub mod program;
mod queue;
mod runs;
mod whole;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_platform::events::{History, Outbox};
use archesai_workflows::{
    Cursor, Json, OrganizationId, Page, Pipeline, PipelineId, Result, Run, RunId, RunStatus, Slice,
    StepRun, StepRunId, StepStatus, UserId,
    engine::{Changes, RunRow, RunState, StepRow},
    ports::{Repository, StepSort, Store, Transaction},
};

use crate::fresh;

/// Runs every check on a store that nobody else uses meanwhile, for its queue is
/// one for all. The two organizations exist and have no pipelines.
pub async fn suite<S>(store: &S, organizations: [OrganizationId; 2])
where
    S: Store + Outbox + History + Clone,
{
    let [ours, theirs] = organizations;
    let world = World {
        store,
        ours,
        theirs,
    };
    pipelines::suite(&world).await;
    runs::suite(&world).await;
    documents::suite(&world).await;
    queue::suite(&world).await;
    engine::suite(&world).await;
    whole::suite(&world).await;
}

struct World<'a, S> {
    store: &'a S,
    ours: OrganizationId,
    theirs: OrganizationId,
}

impl<S: Store> World<'_, S> {
    /// A pipeline that was put into the store.
    async fn pipeline(&self) -> Pipeline {
        let pipeline = pipeline(self.ours, "p");
        self.store.insert_pipeline(&pipeline).await.unwrap();
        pipeline
    }

    /// A run, of a pipeline of its own, that was put into the store.
    async fn run(&self, steps: &[StepRow]) -> Run {
        let run = run(&self.pipeline().await);
        self.store.insert_run(&run, steps).await.unwrap();
        run
    }

    /// Takes away a run with its pipeline, so that the queue is as it was before.
    async fn remove(&self, run: &Run) {
        let removed = self.store.delete_pipeline(self.ours, run.pipeline_id);
        assert!(removed.await.unwrap().is_some());
    }

    async fn find_run(&self, id: RunId) -> Run {
        self.store.find_run(self.ours, id).await.unwrap().unwrap()
    }

    async fn state(&self, run: RunId) -> RunState {
        let states = self
            .store
            .lock_runs(&[(self.ours, run)], &[])
            .await
            .unwrap();
        states.into_iter().next().unwrap()
    }

    /// Every step run of a run, in the order in which they came into being.
    async fn steps(&self, run: RunId) -> Vec<StepRun> {
        let slice = Slice {
            limit: 1_000,
            after: None,
            sort: StepSort::CreatedAt,
            descending: false,
        };
        let page = self.store.list_steps(self.ours, run, &slice).await.unwrap();
        assert_eq!(page.next, None);
        page.items
    }

    async fn step(&self, run: RunId, id: StepRunId) -> StepRun {
        let steps = self.steps(run).await;
        steps.into_iter().find(|step| step.id == id).unwrap()
    }

    /// Writes changes in a transaction of their own.
    async fn apply(&self, changes: Changes) {
        let scope = archesai_workflows::ports::Scope::System;
        let transaction = self.store.begin(scope).await.unwrap();
        let run = (changes.run.organization_id, changes.run.id);
        transaction.lock_runs(&[run], &[]).await.unwrap();
        transaction.apply(&[changes]).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

/// A time with microseconds, and nothing finer.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + seconds * 1_000_000 + 123_456)
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let members = members.map(|(name, value)| (name.to_owned(), value));
    Json::Object(BTreeMap::from(members))
}

fn pipeline(organization: OrganizationId, name: &str) -> Pipeline {
    Pipeline {
        id: PipelineId(fresh()),
        organization_id: organization,
        name: name.to_owned(),
        description: Some("what it is for".to_owned()),
        definition: object([("steps", Json::Array(vec![]))]),
        version: 1,
        created_by: UserId(fresh()),
        created_at: time(0),
        updated_at: time(1),
    }
}

fn run(pipeline: &Pipeline) -> Run {
    Run {
        id: RunId(fresh()),
        organization_id: pipeline.organization_id,
        pipeline_id: pipeline.id,
        pipeline_version: pipeline.version,
        status: RunStatus::Queued,
        progress: 0,
        input: object([("x", Json::from(1))]),
        output: None,
        error: None,
        created_by: UserId(fresh()),
        created_at: time(0),
        started_at: None,
        completed_at: None,
    }
}

/// A step that waits for others.
fn pending(step: &str) -> StepRow {
    StepRow {
        id: StepRunId(fresh()),
        step: step.to_owned(),
        tool: "do".to_owned(),
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
        created_at: time(0),
        started_at: None,
        completed_at: None,
    }
}

/// A step that is due at a time.
fn ready(step: &str, seconds: u64) -> StepRow {
    StepRow {
        status: StepStatus::Ready,
        ready_at: Some(time(seconds)),
        ..pending(step)
    }
}

/// An item of a step's fan-out.
fn item(parent: &StepRow, index: u32) -> StepRow {
    StepRow {
        parent: Some(parent.id),
        index: Some(index),
        ..ready(&parent.step, 0)
    }
}

/// The narrow part of a run.
fn row(run: &Run) -> RunRow {
    RunRow {
        id: run.id,
        organization_id: run.organization_id,
        pipeline_id: run.pipeline_id,
        pipeline_version: run.pipeline_version,
        status: run.status,
        progress: run.progress,
        created_by: run.created_by,
        started_at: run.started_at,
        completed_at: run.completed_at,
    }
}

/// Changes that change nothing.
fn unchanged(run: RunRow) -> Changes {
    Changes {
        run,
        output: None,
        error: None,
        updated: Vec::new(),
        created: Vec::new(),
        stopped: Vec::new(),
    }
}

/// Changes that write some step runs.
fn updated(run: &Run, updated: &[StepRow]) -> Changes {
    Changes {
        updated: updated.to_vec(),
        ..unchanged(row(run))
    }
}

/// Reads a list in pages of two, to its end.
async fn pages<S: Copy, T>(
    sort: S,
    descending: bool,
    read: impl AsyncFn(&Slice<S>) -> Result<Page<T>>,
) -> Vec<T> {
    let mut items = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let slice = Slice {
            limit: 2,
            after,
            sort,
            descending,
        };
        let page = read(&slice).await.unwrap();
        assert!(page.items.len() <= 2);
        items.extend(page.items);
        let Some(next) = page.next else {
            return items;
        };
        after = Some(next);
    }
}
