//! Whole runs, by way of the service.

use archesai_platform::events::{History, Outbox};
use archesai_workflows::{Json, RunStatus, StepStatus, WorkerId, ports::Store};

use super::{World, object, program::Program};
use crate::fresh;

pub(super) async fn suite<S: Store + Outbox + History + Clone>(world: &World<'_, S>) {
    a_chain_is_run_to_its_end(world).await;
    a_fan_out_is_joined_by_several_workers(world).await;
    a_failed_item_stops_the_others(world).await;
    what_is_cancelled_stays_so(world).await;
    a_run_deleted_under_its_worker_leaves_nothing(world).await;
}

fn step<const N: usize>(id: &str, members: [(&str, Json); N]) -> Json {
    let Json::Object(mut step) = object(members) else {
        unreachable!("it is an object");
    };
    step.insert("id".to_owned(), Json::from(id));
    step.insert("tool".to_owned(), Json::from("echo"));
    Json::Object(step)
}

fn with(value: &str) -> (&'static str, Json) {
    ("with", object([("value", Json::from(value))]))
}

fn definition(steps: Vec<Json>, output: &str) -> Json {
    object([
        (
            "inputs",
            object([("x", object([("default", Json::from(1))]))]),
        ),
        ("steps", Json::Array(steps)),
        ("outputs", object([("y", Json::from(output))])),
    ])
}

fn fan_out(value: &str) -> Json {
    let steps = vec![
        step(
            "all",
            [("for_each", Json::from("{{ inputs.x }}")), with(value)],
        ),
        step("after", [with("{{ steps.all.output }}")]),
    ];
    definition(steps, "{{ steps.after.output }}")
}

fn program<S: Store + Clone>(world: &World<'_, S>) -> Program<S> {
    Program::new(world.store.clone(), world.ours)
}

fn numbers(count: i64) -> Json {
    Json::Array((0..count).map(Json::from).collect())
}

async fn a_chain_is_run_to_its_end<S: Store + Outbox + History + Clone>(world: &World<'_, S>) {
    let program = program(world);
    let steps = vec![
        step("a", [with("{{ inputs.x }}")]),
        step("b", [with("{{ steps.a.output }}")]),
        step("c", [with("{{ steps.b.output }}")]),
    ];
    let input = object([("x", Json::from("é"))]);
    let run = program
        .start(definition(steps, "{{ steps.c.output }}"), &input)
        .await;
    program.work(WorkerId(fresh()), 4).await;
    let ended = program.run(run.id).await;
    assert_eq!(
        (ended.status, ended.progress),
        (RunStatus::Succeeded, 10_000)
    );
    assert_eq!(ended.output, Some(object([("y", Json::from("é"))])));
    let history = world.store.history(world.ours.0, ("run", run.id.0), 0, 100);
    let history = history.await.unwrap();
    let mut expected = vec!["run.queued", "run.started"];
    expected.extend(["step.started", "step.succeeded", "run.progressed"].repeat(3));
    expected.push("run.succeeded");
    let kinds: Vec<&str> = history.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, expected);
    program.remove(&run).await;
}

async fn a_fan_out_is_joined_by_several_workers<S: Store + Clone>(world: &World<'_, S>) {
    let program = program(world);
    let input = object([("x", numbers(30))]);
    let run = program.start(fan_out("{{ item }}"), &input).await;
    while !program.run(run.id).await.status.is_ended() {
        let workers = (0..4).map(|_| program.work(WorkerId(fresh()), 3));
        futures_util::future::join_all(workers).await;
    }
    let ended = program.run(run.id).await;
    assert_eq!(ended.status, RunStatus::Succeeded);
    assert_eq!(ended.output, Some(object([("y", numbers(30))])));
    let steps = world.steps(run.id).await;
    assert_eq!(steps.len(), 32);
    assert!(
        steps
            .iter()
            .all(|step| (step.attempt, step.status) == (1, StepStatus::Succeeded))
    );
    program.remove(&run).await;
}

async fn a_failed_item_stops_the_others<S: Store + Clone>(world: &World<'_, S>) {
    let program = program(world);
    let items = ["a", "fail", "b", "c"].map(Json::from).to_vec();
    let input = object([("x", Json::Array(items))]);
    let run = program.start(fan_out("{{ item }}"), &input).await;
    program.work(WorkerId(fresh()), 1).await;
    let ended = program.run(run.id).await;
    assert_eq!(ended.status, RunStatus::Failed);
    let error = ended.error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("asked", Some("all"))
    );
    let steps = world.steps(run.id).await;
    let with = |status| steps.iter().filter(|step| step.status == status).count();
    assert_eq!(with(StepStatus::Failed), 2);
    assert_eq!(with(StepStatus::Succeeded), 1);
    assert_eq!(with(StepStatus::Cancelled), 3);
    program.remove(&run).await;
}

async fn what_is_cancelled_stays_so<S: Store + Clone>(world: &World<'_, S>) {
    let program = program(world);
    let input = object([("x", numbers(5))]);
    let run = program.start(fan_out("{{ item }}"), &input).await;
    let worker = WorkerId(fresh());
    let claims = program.service.claim(worker, 1).await.unwrap();
    let prepared = program.service.prepare(&claims[0]).await.unwrap();
    let archesai_workflows::Prepared::Ended(Some(item)) = prepared else {
        panic!("the worker goes on with the first item: {prepared:?}");
    };
    assert_eq!(program.cancel(run.id).await.status, RunStatus::Cancelled);
    assert_eq!(program.service.heartbeat(worker).await.unwrap(), vec![]);
    let refused = program.service.release(&item).await;
    assert!(
        matches!(refused, Err(archesai_workflows::Error::LeaseLost)),
        "{refused:?}"
    );
    program.work(worker, 10).await;
    assert_eq!(program.run(run.id).await.status, RunStatus::Cancelled);
    let steps = world.steps(run.id).await;
    assert!(
        steps
            .iter()
            .all(|step| step.status == StepStatus::Cancelled)
    );
    program.remove(&run).await;
}

async fn a_run_deleted_under_its_worker_leaves_nothing<S: Store + Clone>(world: &World<'_, S>) {
    let program = program(world);
    let steps = vec![step("a", [with("a")])];
    let run = program
        .start(definition(steps, "{{ steps.a.output }}"), &object([]))
        .await;
    let worker = WorkerId(fresh());
    let claims = program.service.claim(worker, 1).await.unwrap();
    program.remove(&run).await;
    assert_eq!(program.service.heartbeat(worker).await.unwrap(), vec![]);
    let refused = program.service.release(&claims[0]).await;
    assert!(
        matches!(refused, Err(archesai_workflows::Error::LeaseLost)),
        "{refused:?}"
    );
    assert_eq!(world.steps(run.id).await, vec![]);
    assert_eq!(
        world
            .store
            .expired(10, super::time(1_000_000_000))
            .await
            .unwrap(),
        vec![]
    );
}
