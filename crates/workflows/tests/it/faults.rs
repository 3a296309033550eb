//! Runs that meet errors, cancels, lost workers and late results.

use std::{sync::Mutex, time::Duration};

use archesai_workflows::{
    Call, Error, Json, Move, Outcome, Run, RunError, RunId, RunStatus, StepRunId, StepStatus,
    ToolError, WorkerId, ports::Repository as _,
};

use crate::support::{ME, ORGANIZATION, WORKER, World, echo, json};

const ONE: &str = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}}]}"#;
const OTHER: WorkerId = WorkerId(2);

/// A tool that fails for good when it is called with `"bad"`.
fn fails_on_bad(call: &archesai_workflows::Invocation<'_>) -> Result<Outcome, ToolError> {
    if call.input.get("value") == Some(&Json::from("bad")) {
        return Err(ToolError::permanent("bad", "this is bad"));
    }
    echo(call)
}

fn with_on_error(on_error: &str) -> String {
    format!(
        r#"{{"steps": [
            {{"id": "a", "tool": "do", "with": {{"value": "bad"}}, "on_error": "{on_error}"}},
            {{"id": "b", "tool": "do", "with": {{"value": "{{{{ steps.a.error }}}}"}}}},
            {{"id": "c", "tool": "do", "with": {{"value": 3}}, "needs": ["b"]}},
            {{"id": "d", "tool": "do", "with": {{"value": 4}}}}
        ]}}"#
    )
}

async fn statuses(world: &World, run: &archesai_workflows::Run) -> Vec<&'static str> {
    let steps = world.steps(run.id).await;
    steps.iter().map(|step| step.status.as_str()).collect()
}

#[tokio::test]
async fn a_failure_fails_the_run() {
    let world = World::new(fails_on_bad);
    let run = world.finish(&with_on_error("fail"), "{}").await;
    assert_eq!(run.status, RunStatus::Failed);
    let error = RunError {
        code: "bad".to_owned(),
        message: "this is bad".to_owned(),
        step: Some("a".to_owned()),
    };
    assert_eq!(run.error, Some(error));
    assert_eq!(
        statuses(&world, &run).await,
        ["failed", "cancelled", "cancelled", "cancelled"]
    );
    let step = world.step(run.id, "a").await;
    assert_eq!(
        step.attempt, 1,
        "what every attempt would meet is not retried"
    );
    assert_eq!(step.error.unwrap().code, "bad");
    assert_eq!(step.input, Some(json(r#"{"value": "bad"}"#)));
}

#[tokio::test]
async fn a_failure_may_be_passed_over() {
    let world = World::new(fails_on_bad);
    let run = world.finish(&with_on_error("continue"), "{}").await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(
        statuses(&world, &run).await,
        ["failed", "succeeded", "succeeded", "succeeded"]
    );
    let seen = world.step(run.id, "b").await.output;
    assert_eq!(
        seen,
        Some(json(r#"{"code": "bad", "message": "this is bad"}"#))
    );
}

#[tokio::test]
async fn a_failure_may_skip_what_needs_it() {
    let world = World::new(fails_on_bad);
    let run = world.finish(&with_on_error("skip"), "{}").await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(
        statuses(&world, &run).await,
        ["skipped", "skipped", "skipped", "succeeded"]
    );
    let error = world.step(run.id, "a").await.error;
    assert_eq!(error.unwrap().code, "bad");
}

#[tokio::test]
async fn an_error_that_may_pass_is_retried() {
    let world = World::new(|call| match call.attempt {
        3 => echo(call),
        _ => Err(ToolError::transient("busy", "try again")),
    });
    let run = world.finish(ONE, "{}").await;
    assert_eq!(run.status, RunStatus::Succeeded);
    let step = world.step(run.id, "a").await;
    assert_eq!((step.attempt, step.error), (3, None));
    let events = world.events().await;
    assert_eq!(
        events
            .iter()
            .filter(|kind| **kind == "step.retrying")
            .count(),
        2
    );
}

#[tokio::test]
async fn an_attempt_begins_without_the_sleeps_of_the_one_before() {
    let world = World::new(|call| match (call.attempt, call.sleeps) {
        (1, 0) => Ok(Outcome::Sleep {
            until: std::time::UNIX_EPOCH,
        }),
        (1, _) => Err(ToolError::transient("busy", "try again")),
        (_, sleeps) => Ok(Outcome::Done(Json::from(i64::from(sleeps)))),
    });
    let run = world.finish(ONE, "{}").await;
    let step = world.step(run.id, "a").await;
    assert_eq!((step.attempt, step.output), (2, Some(Json::from(0))));
}

#[tokio::test]
async fn a_step_that_sleeps_longer_than_its_timeout_fails_when_that_is_over() {
    let world = World::new(|call| match call.sleeps {
        0 => Ok(Outcome::Sleep {
            until: std::time::UNIX_EPOCH + Duration::from_secs(1_000_100),
        }),
        _ => Ok(Outcome::Done(Json::Null)),
    });
    let definition = |timeout| {
        format!(
            r#"{{"steps": [{{"id": "a", "tool": "do", "with": {{"value": 1}}, "timeout": "{timeout}s",
                "retry": {{"max_attempts": 2}}}}]}}"#
        )
    };
    let run = world.finish(&definition(1), "{}").await;
    assert_eq!(run.status, RunStatus::Waiting);
    for attempt in 1..=2 {
        assert_eq!(world.step(run.id, "a").await.status, StepStatus::Ready);
        assert_eq!(world.calls().len(), attempt, "each attempt sleeps");
        world.clock.forward(Duration::from_secs(1));
        world.drain().await;
    }
    let run = world.run(run.id).await;
    assert_eq!(run.error.unwrap().code, "timed_out");
    assert_eq!(world.step(run.id, "a").await.attempt, 2);
    assert!(world.claim(WORKER).await.is_none());

    let run = world.finish(&definition(100), "{}").await;
    world.clock.forward(Duration::from_secs(100));
    world.drain().await;
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn attempts_are_used_up() {
    let world = World::new(|_| Err(ToolError::transient("busy", "try again")));
    let run = world.finish(ONE, "{}").await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(world.step(run.id, "a").await.attempt, 3);
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}, "retry": {"max_attempts": 1}}]}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(world.step(run.id, "a").await.attempt, 1);
}

#[tokio::test]
async fn a_retry_waits_without_a_worker() {
    let mut world = World::new(|call| match call.attempt {
        1 => Err(ToolError::timed_out(Duration::from_secs(3))),
        _ => echo(call),
    });
    world.service.settings.policy.retry_scale = 1.0;
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1},
        "retry": {"initial": "10s", "jitter": false}}]}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.status, RunStatus::Waiting);
    let step = world.step(run.id, "a").await;
    assert_eq!(step.status, StepStatus::Ready);
    assert_eq!(step.error.unwrap().code, "timed_out");
    world.clock.forward(Duration::from_secs(9));
    assert!(world.claim(WORKER).await.is_none());
    world.clock.forward(Duration::from_secs(1));
    world.drain().await;
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn failing_items_follow_on_error() {
    for (on_error, expected) in [
        ("continue", (RunStatus::Succeeded, StepStatus::Succeeded)),
        ("skip", (RunStatus::Succeeded, StepStatus::Skipped)),
        ("fail", (RunStatus::Failed, StepStatus::Failed)),
    ] {
        let world = World::new(fails_on_bad);
        let definition = format!(
            r#"{{"steps": [{{"id": "each", "tool": "do", "for_each": ["x", "bad", "y"], "concurrency": 1,
                "on_error": "{on_error}", "with": {{"value": "{{{{ item }}}}"}}}}]}}"#
        );
        let run = world.finish(&definition, "{}").await;
        let step = world.step(run.id, "each").await;
        assert_eq!((run.status, step.status), expected, "{on_error}");
        if on_error == "continue" {
            assert_eq!(step.output, Some(json(r#"["x", null, "y"]"#)));
        } else {
            assert_eq!(step.error.unwrap().message, "item 1: this is bad");
            assert_eq!(world.calls().len(), 2, "the third item is never begun");
        }
    }
}

#[tokio::test]
async fn the_other_items_of_a_failed_fan_out_are_cancelled() {
    let world = World::new(fails_on_bad);
    let definition = r#"{"steps": [{"id": "each", "tool": "do", "for_each": ["x", "bad", "y"],
        "on_error": "skip", "with": {"value": "{{ item }}"}}]}"#;
    let run = world.start(definition, "{}").await;
    let parent = world.claim(WORKER).await.unwrap();
    let prepared = world.service.prepare(&parent).await.unwrap();
    let archesai_workflows::Prepared::Ended(Some(first)) = prepared else {
        panic!("the worker goes on with the first item");
    };
    let bad = world.claim(WORKER).await.unwrap();
    world.work(bad).await;
    let late = world.service.prepare(&first).await.unwrap();
    let archesai_workflows::Prepared::Call(late) = late else {
        panic!("it can still be evaluated");
    };
    let result = world.service.finish(&late, Ok(Outcome::Done(Json::Null)));
    assert!(matches!(result.await, Err(Error::LeaseLost)));
    assert_eq!(
        statuses(&world, &run).await,
        ["skipped", "cancelled", "failed", "cancelled"]
    );
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn expressions_and_inputs_that_fail_end_the_step() {
    for (with, code, message) in [
        (
            r#"{"value": "{{ steps.a.output.nope }}"}"#,
            "expression_failed",
            "/with/value: `steps.a.output.nope` has no value",
        ),
        (
            r#"{"value": 1, "times": "{{ steps.a.output }}"}"#,
            "invalid_input",
            "/with/times: must be an integer",
        ),
    ] {
        let world = World::new(echo);
        let definition = format!(
            r#"{{"steps": [{{"id": "a", "tool": "do", "with": {{"value": "text"}}}},
                {{"id": "b", "tool": "do", "with": {with}}}]}}"#
        );
        let run = world.finish(&definition, "{}").await;
        let error = run.error.unwrap();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            (code, message)
        );
        assert_eq!(error.step.as_deref(), Some("b"));
    }
}

#[tokio::test]
async fn nothing_begins_after_a_cancel() {
    let world = World::new(echo);
    let definition = r#"{"steps": [
        {"id": "a", "tool": "do", "with": {"value": 1}},
        {"id": "b", "tool": "do", "with": {"value": 2}},
        {"id": "c", "tool": "do", "with": {"value": 3}, "needs": ["a"]}
    ]}"#;
    let run = world.start(definition, "{}").await;
    let running = world.claim_call(WORKER).await;
    let held = world.service.heartbeat(WORKER).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].lease(), running.claim.lease());
    let cancelled = world.service.cancel_run(ME, run.id).await.unwrap();
    assert_eq!(cancelled.status, RunStatus::Cancelled);
    assert!(cancelled.completed_at.is_some());
    assert_eq!(world.service.heartbeat(WORKER).await.unwrap(), []);
    let late = world
        .service
        .finish(&running, Ok(Outcome::Done(Json::Null)));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
    assert!(world.claim(WORKER).await.is_none());
    assert_eq!(statuses(&world, &run).await, ["cancelled"; 3]);
    let again = world.service.cancel_run(ME, run.id).await;
    assert!(matches!(again, Err(Error::RunEnded)));
    assert_eq!(world.events().await.last(), Some(&"run.cancelled"));
}

#[tokio::test]
async fn a_lost_worker_costs_no_attempt_and_its_late_result_is_refused() {
    let world = World::new(echo);
    let run = world.start(ONE, "{}").await;
    let frozen = world.claim_call(WORKER).await;
    assert_eq!(
        world.service.reap(OTHER, 10).await.unwrap().steps,
        0,
        "its lease holds"
    );
    world.clock.forward(Duration::from_secs(13));
    assert_eq!(world.service.reap(OTHER, 10).await.unwrap().steps, 1);
    assert_eq!(
        world.service.reap(OTHER, 10).await.unwrap().steps,
        0,
        "once"
    );
    let taken = world.claim_call(OTHER).await;
    assert_eq!((taken.claim.step.attempt, taken.claim.step.crashes), (1, 1));
    let late = world
        .service
        .finish(&frozen, Ok(Outcome::Done(Json::from("late"))));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
    assert!(world.service.release(&frozen.claim).await.is_err());
    let done = world
        .service
        .finish(&taken, Ok(Outcome::Done(Json::from("good"))));
    assert_eq!(done.await.unwrap(), None);
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
    assert_eq!(
        world.step(run.id, "a").await.output,
        Some(Json::from("good"))
    );
}

#[tokio::test]
async fn the_late_result_of_an_item_is_refused() {
    let world = World::new(echo);
    let definition = r#"{"steps": [{"id": "each", "tool": "do", "for_each": ["x", "y"],
        "concurrency": 1, "with": {"value": "{{ item }}"}}]}"#;
    let run = world.start(definition, "{}").await;
    let parent = world.claim(WORKER).await.unwrap();
    let prepared = world.service.prepare(&parent).await.unwrap();
    let archesai_workflows::Prepared::Ended(Some(item)) = prepared else {
        panic!("the worker goes on with the first item");
    };
    let again = world.service.prepare(&parent).await;
    assert!(matches!(again, Err(Error::LeaseLost)));
    let prepared = world.service.prepare(&item).await.unwrap();
    let archesai_workflows::Prepared::Call(late) = prepared else {
        panic!("an item is called");
    };
    world.clock.forward(Duration::from_secs(13));
    assert_eq!(world.service.reap(OTHER, 10).await.unwrap().steps, 1);
    let result = world
        .service
        .finish(&late, Ok(Outcome::Done(Json::from("late"))));
    assert!(matches!(result.await, Err(Error::LeaseLost)));
    let call = world.claim_call(OTHER).await;
    assert_eq!((call.claim.step.attempt, call.claim.step.crashes), (1, 1));
    let result = world
        .service
        .finish(&late, Ok(Outcome::Done(Json::from("late"))));
    assert!(matches!(result.await, Err(Error::LeaseLost)));
    let next = world
        .service
        .finish(&call, Ok(Outcome::Done(Json::from("x"))));
    let next = next.await.unwrap().expect("the second item is next");
    world.work(next).await;
    let output = world.step(run.id, "each").await.output;
    assert_eq!(output, Some(json(r#"["x", "y"]"#)));
}

#[tokio::test]
async fn the_same_worker_is_fenced_too() {
    let world = World::new(echo);
    world.start(ONE, "{}").await;
    let first = world.claim_call(WORKER).await;
    world.clock.forward(Duration::from_secs(13));
    world.service.reap(OTHER, 10).await.unwrap();
    let second = world.claim_call(WORKER).await;
    assert_ne!(first.claim.step.fence, second.claim.step.fence);
    let late = world.service.finish(&first, Ok(Outcome::Done(Json::Null)));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
}

#[tokio::test]
async fn a_heartbeat_keeps_a_step() {
    let world = World::new(echo);
    world.start(ONE, "{}").await;
    world.claim_call(WORKER).await;
    for _ in 0..3 {
        world.clock.forward(Duration::from_secs(10));
        world.service.heartbeat(WORKER).await.unwrap();
        assert_eq!(world.service.reap(OTHER, 10).await.unwrap().steps, 0);
    }
}

#[tokio::test]
async fn a_step_that_kills_its_workers_fails() {
    let world = World::new(echo);
    let run = world.start(ONE, "{}").await;
    for worker in 10..13 {
        world.claim_call(WorkerId(worker)).await;
        world.clock.forward(Duration::from_secs(13));
        assert_eq!(world.service.reap(OTHER, 10).await.unwrap().steps, 1);
    }
    let run = world.run(run.id).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.error.unwrap().code, "worker_lost");
    let step = world.step(run.id, "a").await;
    assert_eq!((step.crashes, step.attempt), (3, 1));
    assert_eq!(step.error.unwrap().code, "worker_lost");
}

#[tokio::test]
async fn a_released_step_is_ready_at_once() {
    let world = World::new(echo);
    world.start(ONE, "{}").await;
    let call = world.claim_call(WORKER).await;
    let wakes = world.wakes();
    world.service.release(&call.claim).await.unwrap();
    assert_eq!(world.wakes(), wakes + 1);
    let again = world.claim_call(OTHER).await;
    assert_eq!((again.claim.step.attempt, again.claim.step.crashes), (1, 0));
}

#[tokio::test]
async fn a_deleted_pipeline_takes_its_runs_along() {
    let world = World::new(echo);
    let run = world.start(ONE, "{}").await;
    let call = world.claim_call(WORKER).await;
    let before = world.events().await.len();
    let delete = |versions| world.service.delete_pipeline(ME, run.pipeline_id, versions);
    let refused = delete(Some(&[2, 3])).await;
    assert!(matches!(refused, Err(Error::VersionConflict)));
    assert_eq!(world.events().await[before..], [""; 0]);
    delete(Some(&[2, 1])).await.unwrap();
    assert_eq!(world.events().await[before..], ["run.cancelled"]);
    let late = world.service.finish(&call, Ok(Outcome::Done(Json::Null)));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
    let found = world.service.run(ORGANIZATION, run.id).await;
    assert!(matches!(found, Err(Error::NotFound)));
}

#[tokio::test]
async fn an_idempotency_key_is_the_same_for_every_attempt() {
    static KEYS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let world = World::new(|call| {
        KEYS.lock().unwrap().push(call.step_run_id.to_string());
        Err(ToolError::transient("busy", "try again"))
    });
    world.finish(ONE, "{}").await;
    let keys = KEYS.lock().unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

/// A run whose steps are not those of its definition, as those of a damaged database.
async fn damaged(world: &World) -> Run {
    let sound = world.start(ONE, "{}").await;
    let run = Run {
        id: RunId(1_000),
        ..sound.clone()
    };
    let store = &world.service.store;
    let states = store.lock_runs(&[(ORGANIZATION, sound.id)], &[]).await;
    let mut steps = states.unwrap().remove(0).steps;
    steps[0].id = StepRunId(1_001);
    steps[0].step = String::from("other");
    store.insert_run(&run, &steps).await.unwrap();
    run
}

#[tokio::test]
async fn a_run_that_cannot_be_read_keeps_back_no_other() {
    let world = World::new(echo);
    let run = damaged(&world).await;
    let claims = world.service.claim(WORKER, 10).await.unwrap();
    assert_eq!(claims.len(), 2);
    world.clock.forward(Duration::from_secs(13));
    let reaped = world.service.reap(OTHER, 10).await.unwrap();
    assert_eq!(reaped.steps, 1, "the other one's");
    assert!(matches!(reaped.errors[..], [Error::Unreadable(_)]));
    let ended = world.run(run.id).await;
    assert_eq!(ended.status, RunStatus::Failed);
    assert_eq!(ended.error.unwrap().code, "unreadable");
    assert_eq!(statuses(&world, &run).await, ["cancelled"]);
    assert!(world.events().await.contains(&"run.failed"));
    let reaped = world.service.reap(OTHER, 10).await.unwrap();
    assert_eq!((reaped.steps, reaped.errors.len()), (0, 0), "once");
}

#[tokio::test]
async fn calls_that_end_together_have_each_their_own_outcome() {
    let world = World::new(echo);
    damaged(&world).await;
    let other = world.start(ONE, "{}").await;
    let claims = world.service.claim(WORKER, 10).await.unwrap();
    let calls = claims.into_iter().map(|claim| Call {
        claim,
        input: Json::Null,
        timeout: Duration::ZERO,
    });
    let mut calls: Vec<_> = calls.collect();
    // One that comes twice counts once.
    calls.push(calls[0].clone());
    let good = || Ok(Outcome::Done(Json::from("good")));
    let report = |call| world.service.report(call, good(), true);
    let mut moves: Vec<_> = calls.into_iter().map(report).collect();
    world.service.advance(&mut moves).await;
    let ended: Vec<_> = moves.into_iter().map(Move::moved).collect();
    let kind = |ended: &Result<_, _>| match ended {
        Ok(None) => "ended",
        Err(Error::Unreadable(_)) => "unreadable",
        Err(Error::LeaseLost) => "refused",
        _ => "something else",
    };
    let mut kinds: Vec<_> = ended.iter().map(kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ended", "ended", "refused", "unreadable"]);
    assert_eq!(world.run(other.id).await.status, RunStatus::Succeeded);
}
