//! The queue of steps, and who holds them.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use archesai_workflows::{
    Run, RunStatus, StepStatus, WorkerId,
    engine::{Claim, Lease, StepRow},
    ports::{Repository, Scope, Store, Transaction as _},
};

use super::{World, pending, ready, row, time, updated};
use crate::fresh;

const LEASE: Duration = Duration::from_secs(10);

pub(super) async fn suite<S: Store>(world: &World<'_, S>) {
    what_is_due_for_longest_comes_first(world).await;
    a_claim_is_written(world).await;
    a_run_goes_on_with_its_steps(world).await;
    no_two_claims_get_the_same(world).await;
    a_dropped_claim_is_given_back(world).await;
    a_lease_ends_unless_it_is_extended(world).await;
    a_worker_is_told_what_it_holds(world).await;
    when_the_first_is_due_is_told(world).await;
}

async fn claim<R: Repository>(
    store: &R,
    worker: WorkerId,
    limit: u32,
    now: SystemTime,
) -> Vec<Claim> {
    store.claim(worker, limit, LEASE, now).await.unwrap()
}

fn names(claims: &[Claim]) -> Vec<&str> {
    claims
        .iter()
        .map(|claim| claim.step.step.as_str())
        .collect()
}

/// The leases of claims, in the order of their step runs.
fn leases(claims: &[Claim]) -> Vec<Lease> {
    let mut leases: Vec<Lease> = claims.iter().map(Claim::lease).collect();
    leases.sort_by_key(|lease| lease.step_run);
    leases
}

async fn what_is_due_for_longest_comes_first<S: Store>(world: &World<'_, S>) {
    let worker = WorkerId(fresh());
    let rows = [
        ready("c", 3),
        ready("a", 1),
        pending("p"),
        ready("b", 2),
        ready("later", 9),
    ];
    let run = world.run(&rows).await;
    let other = world.run(&[ready("d", 3)]).await;
    assert_eq!(
        names(&claim(world.store, worker, 10, time(0)).await),
        [""; 0]
    );
    assert_eq!(
        names(&claim(world.store, worker, 2, time(8)).await),
        ["a", "b"]
    );
    assert_eq!(
        names(&claim(world.store, worker, 10, time(8)).await),
        ["c", "d"]
    );
    assert_eq!(
        names(&claim(world.store, worker, 10, time(8)).await),
        [""; 0]
    );
    assert_eq!(
        names(&claim(world.store, worker, 10, time(9)).await),
        ["later"]
    );
    world.remove(&run).await;
    world.remove(&other).await;
}

async fn when_the_first_is_due_is_told<S: Store>(world: &World<'_, S>) {
    let run = world
        .run(&[pending("p"), ready("b", 7), ready("a", 5)])
        .await;
    let next_due = async || world.store.next_due().await.unwrap();
    assert_eq!(next_due().await, Some(time(5)));
    claim(world.store, WorkerId(fresh()), 1, time(5)).await;
    assert_eq!(next_due().await, Some(time(7)));
    claim(world.store, WorkerId(fresh()), 1, time(7)).await;
    assert_eq!(next_due().await, None);
    world.remove(&run).await;
}

async fn a_claim_is_written<S: Store>(world: &World<'_, S>) {
    let worker = WorkerId(fresh());
    let new = ready("new", 1);
    let old = StepRow {
        attempt: 2,
        crashes: 1,
        sleeps: 3,
        fence: 7,
        started_at: Some(time(0)),
        ..ready("old", 2)
    };
    let run = world.run(&[new.clone(), old.clone()]).await;
    let claims = claim(world.store, worker, 10, time(5)).await;
    let new = StepRow {
        status: StepStatus::Running,
        attempt: 1,
        ready_at: None,
        worker: Some(worker),
        fence: 1,
        started_at: Some(time(5)),
        ..new
    };
    let old = StepRow {
        status: StepStatus::Running,
        attempt: 3,
        ready_at: None,
        worker: Some(worker),
        fence: 8,
        ..old
    };
    let claimed = |step: &StepRow| Claim {
        run: row(&run),
        step: step.clone(),
    };
    assert_eq!(claims, vec![claimed(&new), claimed(&old)]);
    let mut steps = world.state(run.id).await.steps;
    steps.sort_by_key(|step| step.id);
    assert_eq!(steps, vec![new, old]);
    world.remove(&run).await;
}

async fn a_run_goes_on_with_its_steps<S: Store>(world: &World<'_, S>) {
    let worker = WorkerId(fresh());
    for (status, started_at) in [
        (RunStatus::Queued, None),
        (RunStatus::Waiting, Some(time(1))),
        (RunStatus::Running, Some(time(2))),
    ] {
        let run = Run {
            status,
            started_at,
            ..super::run(&world.pipeline().await)
        };
        let steps = [ready("a", 0), ready("b", 0)];
        world.store.insert_run(&run, &steps).await.unwrap();
        let claims = claim(world.store, worker, 10, time(5)).await;
        let shown: Vec<_> = claims.into_iter().map(|claim| claim.run).collect();
        assert_eq!(shown, vec![row(&run); 2], "as it was before");
        let expected = Run {
            status: RunStatus::Running,
            started_at: Some(started_at.unwrap_or(time(5))),
            ..run.clone()
        };
        assert_eq!(world.find_run(run.id).await, expected);
        world.remove(&run).await;
    }
}

async fn no_two_claims_get_the_same<S: Store>(world: &World<'_, S>) {
    let rows: Vec<StepRow> = (0..100).map(|at| ready(&format!("s{at}"), at)).collect();
    let run = world.run(&rows).await;
    let workers: Vec<WorkerId> = (0..16).map(|_| WorkerId(fresh())).collect();
    let mut seen = HashSet::new();
    while seen.len() < rows.len() {
        let claims = workers.iter().map(async |&worker| {
            let transaction = world.store.begin(Scope::System).await.unwrap();
            let within = claim(&transaction, worker, 2, time(500)).await;
            transaction.commit().await.unwrap();
            let alone = claim(world.store, worker, 2, time(500)).await;
            [within, alone].concat()
        });
        let claims = futures_util::future::join_all(claims).await.concat();
        assert!(!claims.is_empty(), "all that is due is claimed in the end");
        for claim in claims {
            assert!(
                seen.insert(claim.step.id),
                "{} is claimed twice",
                claim.step.step
            );
            assert_eq!(claim.step.fence, 1);
        }
    }
    assert_eq!(claim(world.store, workers[0], 2, time(500)).await, vec![]);
    world.remove(&run).await;
}

async fn a_dropped_claim_is_given_back<S: Store>(world: &World<'_, S>) {
    let run = world.run(&[ready("a", 0)]).await;
    for _ in 0..2 {
        let transaction = world.store.begin(Scope::System).await.unwrap();
        let claims = claim(&transaction, WorkerId(fresh()), 10, time(1)).await;
        assert_eq!(names(&claims), ["a"]);
        assert_eq!(claims[0].step.fence, 1);
    }
    let transaction = world.store.begin(Scope::System).await.unwrap();
    drop(transaction);
    assert_eq!(world.find_run(run.id).await, run);
    world.remove(&run).await;
}

async fn a_lease_ends_unless_it_is_extended<S: Store>(world: &World<'_, S>) {
    let (one, two) = (WorkerId(fresh()), WorkerId(fresh()));
    let run = world
        .run(&[ready("a", 0), ready("b", 1), ready("c", 2)])
        .await;
    let first = claim(world.store, one, 2, time(100)).await;
    let second = claim(world.store, two, 1, time(105)).await;
    let expired = async |limit, seconds| {
        let mut claims = world.store.expired(limit, time(seconds)).await.unwrap();
        claims.sort_by_key(|claim| claim.step.id);
        claims
    };
    assert_eq!(expired(10, 109).await, vec![]);
    // What is lost is shown as it is; the claims showed the run before it began.
    let running = world.state(run.id).await.run;
    let lost = |claims: &[Claim]| -> Vec<Claim> {
        let step = claims.iter().map(|claim| claim.step.clone());
        let run = running.clone();
        step.map(|step| Claim {
            run: run.clone(),
            step,
        })
        .collect()
    };
    for _ in 0..2 {
        assert_eq!(expired(10, 111).await, lost(&first), "it changes nothing");
    }
    assert_eq!(expired(1, 111).await.len(), 1);
    world.store.heartbeat(one, LEASE, time(108)).await.unwrap();
    assert_eq!(expired(10, 117).await, lost(&second));
    // A claim extends it too, even one that gets nothing.
    assert_eq!(claim(world.store, two, 10, time(110)).await, vec![]);
    assert_eq!(expired(10, 117).await, vec![]);
    assert_eq!(expired(10, 119).await, lost(&first));
    assert_eq!(expired(10, 200).await.len(), 3);
    // A worker that wakes up still holds what nobody took from it.
    let mut held = world.store.heartbeat(one, LEASE, time(300)).await.unwrap();
    held.sort_by_key(|claim| claim.step.id);
    assert_eq!(held, lost(&first));
    assert_eq!(expired(10, 301).await, lost(&second));
    world.remove(&run).await;
    assert_eq!(expired(10, 900).await, vec![]);
}

async fn a_worker_is_told_what_it_holds<S: Store>(world: &World<'_, S>) {
    let (one, two) = (WorkerId(fresh()), WorkerId(fresh()));
    let run = world
        .run(&[ready("a", 0), ready("b", 1), ready("c", 2)])
        .await;
    let gone = world.run(&[ready("d", 3)]).await;
    let beat = async |worker| {
        let held = world.store.heartbeat(worker, LEASE, time(20)).await;
        leases(&held.unwrap())
    };
    assert_eq!(beat(one).await, vec![]);
    let claims = claim(world.store, one, 4, time(10)).await;
    assert_eq!(beat(one).await, leases(&claims));
    assert_eq!(beat(two).await, vec![]);
    // One is cancelled, one becomes another worker's, one is deleted.
    let cancelled = StepRow {
        status: StepStatus::Cancelled,
        worker: None,
        ..claims[0].step.clone()
    };
    let requeued = StepRow {
        status: StepStatus::Ready,
        worker: None,
        ready_at: Some(time(11)),
        ..claims[1].step.clone()
    };
    world.apply(updated(&run, &[cancelled, requeued])).await;
    world.remove(&gone).await;
    let again = claim(world.store, two, 10, time(12)).await;
    assert_eq!(names(&again), ["b"]);
    assert_eq!(beat(one).await, vec![claims[2].lease()]);
    assert_eq!(beat(two).await, vec![again[0].lease()]);
    assert!(again[0].step.fence > claims[1].step.fence);
    world.remove(&run).await;
}
