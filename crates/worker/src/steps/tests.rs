//! What a worker puts right.

use archesai_workflows::{Run, RunStatus, ports::Repository as _};

use super::*;
use crate::support::{ORGANIZATION, Test, WORKER, World, echo};

const TWO: &str = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}},
    {"id": "b", "tool": "do", "with": {"value": 2}}]}"#;

fn worker(world: World) -> Worker<Test> {
    let service = Arc::new(world.service);
    Worker {
        id: WORKER,
        free: Arc::new(Semaphore::new(1)),
        held: Held::default(),
        reports: Reports::take(Arc::clone(&service)),
        service,
    }
}

/// A worker that holds one step, and was given another by an answer that was lost.
async fn forgetful() -> (Worker<Test>, Stop, Claim) {
    let world = World::new(echo);
    world.start(TWO, "{}").await;
    let known = world.claim(WORKER).await.unwrap();
    let lost = world.claim(WORKER).await.unwrap();
    let worker = worker(world);
    let stop = worker.held.take(&known);
    (worker, stop, lost)
}

#[tokio::test]
async fn what_nobody_heard_of_being_given_is_handed_back() {
    let (worker, stop, lost) = forgetful().await;
    let mut unknown = HashSet::new();
    worker.beat(&mut unknown).await.unwrap();
    assert_eq!(
        unknown,
        HashSet::from([lost.lease()]),
        "it may be on its way"
    );
    worker.beat(&mut unknown).await.unwrap();
    let again = worker.service.claim(WorkerId(2), 9).await.unwrap();
    let again: Vec<_> = again.iter().map(|claim| claim.step.id).collect();
    assert_eq!(again, [lost.step.id]);
    worker.beat(&mut unknown).await.unwrap();
    assert!(unknown.is_empty() && !stop.is_cancelled());
}

#[tokio::test]
async fn an_answer_that_is_only_late_is_in_time() {
    let (worker, _stop, late) = forgetful().await;
    let mut unknown = HashSet::new();
    worker.beat(&mut unknown).await.unwrap();
    worker.held.take(&late);
    for _ in 0..2 {
        worker.beat(&mut unknown).await.unwrap();
        assert!(unknown.is_empty());
    }
    assert_eq!(worker.service.claim(WorkerId(2), 9).await.unwrap(), []);
}

/// A run whose steps are not those of its definition, as those of a damaged database.
async fn damaged(world: &World) -> Run {
    let sound = world.start(TWO, "{}").await;
    let run = Run {
        id: archesai_workflows::RunId(1_000),
        ..sound.clone()
    };
    let sound = [(ORGANIZATION, sound.id)];
    let states = world.service.store.lock_runs(&sound, &[]).await;
    let mut steps = states.unwrap().remove(0).steps;
    for (step, id) in steps.iter_mut().zip(1_001..) {
        step.id = archesai_workflows::StepRunId(id);
        step.step = format!("other_{id}");
    }
    world.service.store.insert_run(&run, &steps).await.unwrap();
    run
}

#[tokio::test]
async fn a_run_that_cannot_be_read_fails() {
    let world = World::new(echo);
    let run = damaged(&world).await;
    let worker = worker(world);
    for claim in worker.service.claim(WORKER, 9).await.unwrap() {
        let stop = worker.held.take(&claim);
        worker.follow(claim, stop).await;
    }
    let ended = worker.service.run(ORGANIZATION, run.id).await.unwrap();
    assert_eq!(ended.status, RunStatus::Failed);
    assert_eq!(ended.error.unwrap().code, "unreadable");
    assert!(worker.held.claims().is_empty());
    assert_eq!(worker.service.heartbeat(WORKER).await.unwrap(), []);
}
