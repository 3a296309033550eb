//! How large values may be, and when the outputs of a run are worked out.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Waker},
};

use archesai_workflows::{
    Call, Error, Json, Move, Outcome, Run, RunId, RunStatus, ToolError, WorkerId,
    ports::{Pool, Scope, Store as _, Unfinished},
};

use crate::support::{ME, MemoryStore, WORKER, World, echo, json};

const OTHER: WorkerId = WorkerId(2);

#[tokio::test]
async fn a_fan_out_is_over_a_list_that_is_not_too_long() {
    for (input, code) in [("7", "expression_failed"), ("[1, 2, 3]", "too_many_items")] {
        let mut world = World::new(echo);
        world.service.settings.max_items = 2;
        let definition = r#"{"inputs": {"list": {}}, "steps": [{"id": "each", "tool": "do",
            "for_each": "{{ inputs.list }}", "with": {"value": 1}}]}"#;
        let run = world
            .finish(definition, &format!(r#"{{"list": {input}}}"#))
            .await;
        assert_eq!(run.error.unwrap().code, code);
    }
}

#[tokio::test]
async fn values_are_bounded() {
    let mut world = World::new(echo);
    world.service.settings.max_value_bytes = 30;
    let big = "x".repeat(20);
    let definition = r#"{"inputs": {"x": {}}, "steps": [{"id": "a", "tool": "do", "with": {"value": "{{ inputs.x }}{{ inputs.x }}"}}]}"#;
    let run = world
        .finish(definition, &format!(r#"{{"x": "{big}"}}"#))
        .await;
    assert_eq!(run.error.unwrap().code, "input_too_large");
    // Every item fits, and all of them together do not.
    let definition = r#"{"steps": [{"id": "each", "tool": "do", "for_each": [1, 2, 3], "with": {"value": "0123456789"}}]}"#;
    let run = world.finish(definition, "{}").await;
    let error = run.error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("output_too_large", Some("each"))
    );
}

#[tokio::test]
async fn the_input_of_a_run_is_bounded() {
    let mut world = World::new(echo);
    world.service.settings.max_value_bytes = 30;
    let definition = r#"{"inputs": {"x": {}}, "steps": []}"#;
    let pipeline = world.pipeline(definition).await;
    let input = json(&format!(r#"{{"x": "{}"}}"#, "x".repeat(30)));
    let refused = world
        .service
        .start_run(ME, RunId(1_000), pipeline.id, &input);
    let Err(Error::Invalid(violations)) = refused.await else {
        panic!("it is too large");
    };
    assert_eq!(
        violations[0].to_string(),
        "/input: is larger than 30 bytes of compact JSON"
    );
}

#[tokio::test]
async fn what_a_step_reads_of_others_is_bounded() {
    for (last, outputs) in [
        (
            r#", {"id": "c", "tool": "do", "with": {"value": ["{{ steps.a.output }}", "{{ steps.b.output }}"]}}"#,
            "{}",
        ),
        (
            "",
            r#"{"x": ["{{ steps.a.output }}", "{{ steps.b.output }}"]}"#,
        ),
    ] {
        let mut world = World::new(echo);
        world.service.settings.max_results_bytes = 30;
        let definition = format!(
            r#"{{"steps": [{{"id": "a", "tool": "do", "with": {{"value": "0123456789012345"}}}},
                {{"id": "b", "tool": "do", "with": {{"value": "0123456789012345"}}}}{last}],
                "outputs": {outputs}}}"#
        );
        let run = world.finish(&definition, "{}").await;
        assert_eq!(run.error.unwrap().code, "input_too_large");
    }
}

#[tokio::test]
async fn the_message_of_a_step_that_cannot_be_prepared_is_cut() {
    let mut world = World::new(echo);
    world.service.settings.max_message_bytes = 20;
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}},
        {"id": "b", "tool": "do", "with": {"value": "{{ steps.a.output.nope }}"}}]}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.error.unwrap().message, "/with/value: `steps.");
    let error = world.step(run.id, "b").await.error.unwrap();
    assert_eq!(error.message, "/with/value: `steps.");
}

/// Works only while no transaction is open.
struct Unhurried(MemoryStore);

impl Pool for Unhurried {
    fn run(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unfinished>> + Send + '_>> {
        Box::pin(async {
            let begun = pin!(self.0.begin(Scope::System));
            let begun = begun.poll(&mut Context::from_waker(Waker::noop()));
            assert!(begun.is_ready(), "others wait for this");
            work();
            Ok(())
        })
    }
}

#[tokio::test]
async fn nobody_waits_for_expressions() {
    let mut world = World::new(echo);
    world.service.pool = Arc::new(Unhurried(world.service.store.clone()));
    let definition = r#"{"steps": [
            {"id": "a", "tool": "do", "if": true, "with": {"value": 1}},
            {"id": "each", "tool": "do", "for_each": ["x", "y"], "needs": ["a"], "with": {"value": "{{ item }}"}}
        ], "outputs": {"all": "{{ steps.each.output }}"}}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.output, Some(json(r#"{"all": ["x", "y"]}"#)));
}

/// A run with two steps that are called.
async fn ending_together(world: &World) -> (Run, Vec<Call>) {
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 0}},
        {"id": "b", "tool": "do", "with": {"value": 0}}],
        "outputs": {"both": ["{{ steps.a.output }}", "{{ steps.b.output }}"]}}"#;
    let run = world.start(definition, "{}").await;
    let calls = vec![
        world.claim_call(WORKER).await,
        world.claim_call(WORKER).await,
    ];
    (run, calls)
}

#[tokio::test]
async fn outputs_are_those_of_the_steps_that_ended_the_run() {
    let world = World::new(echo);
    let (run, calls) = ending_together(&world).await;
    let done = |value: i64| Ok(Outcome::Done(Json::from(value)));
    let [a, b] = &calls[..] else {
        panic!("there are two");
    };
    let mut moves = vec![
        world.service.report(a.clone(), done(1), true),
        world.service.report(b.clone(), done(2), true),
    ];
    world.service.advance(&mut moves).await;
    assert!(moves.iter().all(Move::is_open));
    for step in &mut moves {
        world.service.work_out(step).await;
    }
    // Before they are written, another worker takes one step over and ends it otherwise.
    world.service.release(&a.claim).await.unwrap();
    let other = world.claim_call(OTHER).await;
    let ended = world.service.finish(&other, done(3)).await;
    assert_eq!(ended.unwrap(), None);
    for mut step in moves {
        world.service.advance(std::slice::from_mut(&mut step)).await;
        _ = world.service.settle(step).await;
    }
    let run = world.run(run.id).await;
    assert_eq!(run.output, Some(json(r#"{"both": [3, 2]}"#)));
}

#[tokio::test]
async fn moves_that_end_a_run_together_are_written_together() {
    let world = World::new(echo);
    let (run, calls) = ending_together(&world).await;
    let calls = calls.into_iter().zip(1_i64..);
    let moves = calls.map(|(call, value)| {
        let done = Ok(Outcome::Done(Json::from(value)));
        world.service.report(call, done, true)
    });
    let mut moves: Vec<_> = moves.collect();
    let mut rounds = 0;
    while {
        world.service.advance(&mut moves).await;
        moves.iter().any(Move::is_open)
    } {
        rounds += 1;
        for step in &mut moves {
            world.service.work_out(step).await;
        }
    }
    assert_eq!(rounds, 1);
    let run = world.run(run.id).await;
    assert_eq!(run.output, Some(json(r#"{"both": [1, 2]}"#)));
}

#[tokio::test]
async fn outputs_that_cannot_be_evaluated_fail_the_run() {
    let world = World::new(echo);
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}}],
        "outputs": {"x": "{{ steps.a.output.deep }}"}}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.status, RunStatus::Failed);
    let error = run.error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step),
        ("expression_failed", None)
    );
    assert!(error.message.starts_with("/outputs/x: "));
}

#[tokio::test]
async fn outputs_see_how_the_last_step_ended() {
    let world = World::new(|call| match call.input.get("value") {
        Some(Json::Null) => Err(ToolError::permanent("broken", "it is broken")),
        _ => echo(call),
    });
    for (input, expected) in [
        (r#"{"value": 1}"#, r#"{"how": "succeeded", "why": null}"#),
        (
            r#"{"value": null}"#,
            r#"{"how": "failed", "why": {"code": "broken", "message": "it is broken"}}"#,
        ),
    ] {
        let definition = format!(
            r#"{{"steps": [{{"id": "a", "tool": "do", "with": {input}, "on_error": "continue"}}],
                "outputs": {{"how": "{{{{ steps.a.status }}}}", "why": "{{{{ steps.a.error }}}}"}}}}"#
        );
        let run = world.finish(&definition, "{}").await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
        assert_eq!(run.output, Some(json(expected)));
    }
}
