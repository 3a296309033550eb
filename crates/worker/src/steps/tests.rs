//! What a worker puts right.

use std::{pin::pin, sync::LazyLock, time::SystemTime};

use archesai_workflows::{
    Adapters, Clock, Definitions, Invocation, LogLevel, Outcome, Run, RunStatus, ToolSpec,
    Violation,
    ports::{Repository as _, Scope, Store as _, Toolbox},
};
use tokio::sync::mpsc;

use super::*;
use crate::support::{MemoryStore, ORGANIZATION, Paths, Test, WORKER, World, echo};

const TWO: &str = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}},
    {"id": "b", "tool": "do", "with": {"value": 2}}]}"#;

fn worker(world: World) -> Worker<Test> {
    let service = Arc::new(world.service);
    Worker {
        id: WORKER,
        free: Arc::new(Semaphore::new(1)),
        held: Held::default(),
        doubt: Mutex::new(None),
        reports: Reports::take(Arc::clone(&service), Stop::new()),
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
    assert!(worker.held.leases().is_empty());
    assert_eq!(worker.service.heartbeat(WORKER).await.unwrap(), []);
}

#[tokio::test]
async fn steps_turn_up_that_an_answer_gave_which_was_lost() {
    let world = World::new(echo);
    world.start(TWO, "{}").await;
    let lost = world.claim(WORKER).await.unwrap();
    let worker = worker(world);
    let mut unknown = HashSet::new();
    worker.beat(&mut unknown).await.unwrap();
    assert!(unknown.is_empty(), "nobody has a reason to look");
    worker.begin_to_doubt();
    for _ in 0..2 {
        worker.beat(&mut unknown).await.unwrap();
        assert_eq!(unknown, HashSet::from([lost.lease()]));
    }
    let again = worker.service.claim(WorkerId(2), 9).await.unwrap();
    assert!(again.iter().any(|claim| claim.step.id == lost.step.id));
}

#[tokio::test]
async fn a_worker_that_was_held_up_does_not_take_its_own_steps_for_lost() {
    let world = World::new(echo);
    let one = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}}]}"#;
    let run = world.start(one, "{}").await;
    let claim = world.claim(WORKER).await.unwrap();
    let clock = Arc::clone(&world.clock);
    let worker = worker(world);
    let stop = worker.held.take(&claim);
    worker.beat(&mut HashSet::new()).await.unwrap();
    clock.forward(Duration::from_mins(1));
    worker.reap().await;
    worker.beat(&mut HashSet::new()).await.unwrap();
    assert!(!stop.is_cancelled());
    worker.follow(claim, stop).await;
    let ended = worker.service.run(ORGANIZATION, run.id).await.unwrap();
    assert_eq!(ended.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_worker_that_ends_hands_back_what_it_knows_nothing_of() {
    let (worker, _stop, _lost) = forgetful().await;
    let mut running = JoinSet::new();
    running.spawn(std::future::pending());
    worker.wind_down(running, Duration::ZERO).await;
    let again = worker.service.claim(WorkerId(2), 9).await.unwrap();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|claim| claim.step.crashes == 0));
}

#[tokio::test]
async fn a_worker_that_is_to_stop_goes_on_with_nothing() {
    let world = World::new(echo);
    let chain = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}},
        {"id": "b", "tool": "do", "if": false, "with": {"value": 2}, "needs": ["a"]},
        {"id": "c", "tool": "do", "with": {"value": 3}, "needs": ["b"]}]}"#;
    world.start(chain, "{}").await;
    let worker = worker(world);
    worker.reports.stopping.cancel();
    for step in ["a", "b", "c"] {
        let claim = worker.service.claim(WORKER, 9).await.unwrap().remove(0);
        assert_eq!((claim.step.step.as_str(), claim.step.crashes), (step, 0));
        let stop = worker.held.take(&claim);
        worker.follow(claim, stop).await;
        assert_eq!(worker.service.heartbeat(WORKER).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_report_that_breaks_the_store_breaks_no_other() {
    let world = World::new(echo);
    let one = |value: &str| {
        format!(r#"{{"steps": [{{"id": "a", "tool": "do", "with": {{"value": "{value}"}}}}]}}"#)
    };
    let good = world.start(&one("good"), "{}").await;
    let bad = world.start(&one("break the store"), "{}").await;
    let worker = worker(world);
    let claims = worker.service.claim(WORKER, 9).await.unwrap();
    assert_eq!(claims.len(), 2);
    let follow = |claim: Claim| {
        let stop = worker.held.take(&claim);
        worker.follow(claim, stop)
    };
    futures_util::future::join_all(claims.into_iter().map(follow)).await;
    let good = worker.service.run(ORGANIZATION, good.id).await.unwrap();
    assert_eq!(good.status, RunStatus::Succeeded);
    let bad = worker.service.run(ORGANIZATION, bad.id).await.unwrap();
    assert_eq!(bad.error.unwrap().code, "internal");
    assert!(worker.held.leases().is_empty());
}

#[tokio::test]
async fn the_outputs_of_a_run_are_worked_out_beside_the_reports() {
    let world = World::new(echo);
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}}],
        "outputs": {"x": "{{ steps.a.output }}"}}"#;
    let run = world.start(definition, "{}").await;
    let worker = worker(world);
    let claim = worker.service.claim(WORKER, 9).await.unwrap().remove(0);
    let stop = worker.held.take(&claim);
    worker.follow(claim, stop).await;
    let run = worker.service.run(ORGANIZATION, run.id).await.unwrap();
    assert_eq!(run.output.unwrap().to_string(), r#"{"x":1}"#);
}

/// A time that passes.
fn passing() -> SystemTime {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    SystemTime::UNIX_EPOCH + Duration::from_hours(1) + BEGAN.elapsed()
}

struct Wall;

impl Clock for Wall {
    fn now(&self) -> SystemTime {
        passing()
    }
}

/// Hears nothing.
struct Deaf;

impl Wake for Deaf {
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

#[tokio::test]
async fn timers_go_by_the_clock_and_not_by_the_looks_at_the_queue() {
    let mut world = World::new(|call| match (call.attempt, call.sleeps) {
        (1, 0) => Ok(Outcome::Sleep {
            until: passing() + Duration::from_millis(50),
        }),
        (1, _) => Err(ToolError::transient("busy", "later")),
        _ => echo(call),
    });
    world.service.clock = Arc::new(Wall);
    world.service.settings.policy.retry_scale = 0.05;
    let run = world.start(TWO, "{}").await;
    let service = Arc::new(world.service);
    let settings = StepSettings {
        concurrency: 1,
        poll: Duration::from_hours(1),
        grace: Duration::ZERO,
    };
    let stop = Stop::new();
    let working = run_steps(Arc::clone(&service), Deaf, settings, stop.clone());
    let ended = async {
        while !service
            .run(ORGANIZATION, run.id)
            .await
            .unwrap()
            .status
            .is_ended()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(working, ended) };
    let in_time = tokio::time::timeout(Duration::from_secs(10), both).await;
    in_time.expect("nobody looks for what is due");
    let run = service.run(ORGANIZATION, run.id).await.unwrap();
    assert_eq!(run.status, RunStatus::Succeeded);
}

/// A tool that takes a while after it told something.
struct Slow(mpsc::UnboundedSender<()>);

impl Toolbox for Slow {
    fn specs(&self) -> &[ToolSpec] {
        &[]
    }

    fn check(&self, _tool: &str, _input: &Json) -> Vec<Violation> {
        Vec::new()
    }

    async fn call(&self, call: Invocation<'_>) -> Result<Outcome, ToolError> {
        call.log.write(LogLevel::Info, "told");
        let mut rhythm = tokio::time::interval(Duration::from_millis(300));
        for _ in 0..3 {
            rhythm.tick().await;
        }
        _ = self.0.send(());
        Ok(Outcome::Done(Json::Null))
    }
}

impl Adapters for Slow {
    type Store = MemoryStore;
    type Toolbox = Self;
    type Expressions = Paths;
}

#[tokio::test]
async fn a_tool_goes_on_while_its_log_is_written() {
    let world = World::new(echo);
    let run = world.start(TWO, "{}").await;
    let call = world.claim_call(WORKER).await;
    let service = world.service;
    let (done, mut is_done) = mpsc::unbounded_channel();
    let service = Service::<Slow> {
        store: service.store,
        toolbox: Arc::new(Slow(done)),
        expressions: service.expressions,
        pool: service.pool,
        wakeups: service.wakeups,
        clock: service.clock,
        ids: service.ids,
        definitions: Definitions::default(),
        settings: service.settings,
    };
    let log = log::StepLog::new(Arc::clone(&service.clock));
    let stop = Stop::new();
    let writing = service.store.begin(Scope::System).await.unwrap();
    let mut called = pin!(attempt::watched(&service, &call, &log, &stop));
    tokio::select! {
        _ = &mut called => panic!("what it told is not written"),
        done = tokio::time::timeout(Duration::from_secs(10), is_done.recv()) => {
            done.expect("the tool goes on");
        }
    }
    drop(writing);
    called.await.unwrap();
    let lines = service.list_logs(ORGANIZATION, run.id, None, 0, 9).await;
    assert_eq!(lines.unwrap().len(), 1);
}
