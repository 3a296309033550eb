//! The queue of steps when several look at once, and whose clock says that a lease has ended.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_organizations::{Organization, OrganizationId as Tenant, Plan};
use archesai_postgres::{Database, LeaseClock, Pooled, Postgres, Settings};
use archesai_workflows::{
    Json, OrganizationId, Pipeline, PipelineId, Run, RunId, RunStatus, StepRunId, StepStatus,
    UserId, WorkerId,
    engine::StepRow,
    ports::{Repository as _, Scope, Store as _, Transaction as _},
};
use futures_util::future::join_all;

use crate::scratch::Scratch;

const OURS: OrganizationId = OrganizationId(1);
const LEASE: Duration = Duration::from_secs(10);

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A store with a pipeline.
async fn store(scratch: &Scratch, lease_clock: LeaseClock) -> Postgres<Pooled> {
    let settings = Settings {
        lease_clock,
        ..scratch.server()
    };
    let store = Database::open(&settings).await.unwrap().store();
    let organization = Organization {
        id: Tenant(OURS.0),
        name: "us".to_owned(),
        plan: Plan::Free,
        credits: 0,
        personal_of: None,
        version: 1,
        created_at: time(),
        updated_at: time(),
    };
    let added =
        archesai_organizations::ports::Repository::insert_organization(&store, &organization);
    added.await.unwrap();
    let pipeline = Pipeline {
        id: PipelineId(1),
        organization_id: OURS,
        name: "p".to_owned(),
        description: None,
        definition: Json::Null,
        version: 1,
        created_by: UserId(1),
        created_at: time(),
        updated_at: time(),
    };
    store.insert_pipeline(&pipeline).await.unwrap();
    store
}

/// Puts a run with so many steps that are due.
async fn put_run(store: &Postgres<Pooled>, id: u128, steps: u128) {
    let run = Run {
        id: RunId(id),
        organization_id: OURS,
        pipeline_id: PipelineId(1),
        pipeline_version: 1,
        status: RunStatus::Queued,
        progress: 0,
        input: Json::Null,
        output: None,
        error: None,
        created_by: UserId(1),
        created_at: time(),
        started_at: None,
        completed_at: None,
    };
    let step = |number: u128| StepRow {
        id: StepRunId(id * 1_000 + number),
        step: number.to_string(),
        tool: "do".to_owned(),
        parent: None,
        index: None,
        status: StepStatus::Ready,
        attempt: 0,
        crashes: 0,
        sleeps: 0,
        ready_at: Some(time()),
        worker: None,
        fence: 0,
        items: None,
        created_at: time(),
        started_at: None,
        completed_at: None,
    };
    let steps: Vec<StepRow> = (0..steps).map(step).collect();
    store.insert_run(&run, &steps).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_at_once_no_two_get_the_same() {
    let scratch = Scratch::new().await;
    let store = store(&scratch, LeaseClock::Caller).await;
    for run in 1..=20 {
        put_run(&store, run, 10).await;
    }
    let workers = (0..8).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            // Somebody else's locks are passed over, so once may be too little.
            while store.next_due().await.unwrap().is_some() {
                let claims = store.claim(WorkerId(worker), 7, LEASE, time()).await;
                claimed.extend(claims.unwrap().iter().map(|claim| claim.step.id));
            }
            claimed
        })
    });
    let mut seen = HashSet::new();
    for claimed in join_all(workers).await {
        for step in claimed.unwrap() {
            assert!(seen.insert(step), "{step} is claimed twice");
        }
    }
    assert_eq!(seen.len(), 200);
}

/// Whoever has locked a run decides about its steps: nobody may take one meanwhile, nor wait.
#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_locked_run_are_passed_over() {
    let scratch = Scratch::new().await;
    let store = store(&scratch, LeaseClock::Caller).await;
    put_run(&store, 1, 2).await;
    put_run(&store, 2, 2).await;
    let open = store.begin(Scope::System).await.unwrap();
    open.lock_runs(&[(OURS, RunId(1))], &[]).await.unwrap();
    let claim = async || {
        let claims = store.claim(WorkerId(1), 10, LEASE, time()).await.unwrap();
        let runs: Vec<u128> = claims.iter().map(|claim| claim.run.id.0).collect();
        runs
    };
    assert_eq!(claim().await, [2, 2]);
    open.commit().await.unwrap();
    assert_eq!(claim().await, [1, 1]);
}

/// Clocks of nodes differ. Whether a lease has ended is for the one clock that all share to say.
#[tokio::test(flavor = "multi_thread")]
async fn leases_go_by_the_clock_of_the_database() {
    let scratch = Scratch::new().await;
    let store = store(&scratch, LeaseClock::Database).await;
    put_run(&store, 1, 1).await;
    // By this worker's clock it is long ago, and by the other's long after.
    let claims = store.claim(WorkerId(1), 10, LEASE, time()).await.unwrap();
    assert_eq!(claims.len(), 1);
    let later = time() + Duration::from_secs(1_000_000_000);
    assert_eq!(store.expired(10, later).await.unwrap(), []);
    let ended = store.heartbeat(WorkerId(1), Duration::ZERO, later).await;
    assert_eq!(ended.unwrap().len(), 1);
    assert_eq!(store.expired(10, time()).await.unwrap().len(), 1);
}
