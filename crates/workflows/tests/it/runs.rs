//! Runs that go as they should.

use std::{sync::Arc, time::Duration};

use archesai_workflows::{
    Error, Json, LogEntry, LogLevel, NewPipeline, OrganizationId, Outcome, PipelineChanges,
    PipelineId, RunId, RunStatus, Slice, StepStatus, ToolError, WorkerId,
    ports::{PipelineSort, RunFilter, RunSort},
};

use crate::support::{ME, ORGANIZATION, WORKER, World, echo, json};

const CHAIN: &str = r#"{
    "inputs": {"x": {"default": 1}},
    "steps": [
        {"id": "a", "tool": "do", "with": {"value": "{{ inputs.x }}"}},
        {"id": "b", "tool": "do", "with": {"value": "b{{ steps.a.output }}"}},
        {"id": "c", "tool": "do", "with": {"value": "c{{ steps.b.output }}"}}
    ],
    "outputs": {"last": "{{ steps.c.output }}"}
}"#;

#[tokio::test]
async fn a_chain_runs_with_one_claim() {
    let world = World::new(echo);
    let run = world.start(CHAIN, r#"{"x": 5}"#).await;
    assert_eq!((run.status, run.progress), (RunStatus::Queued, 0));
    assert_eq!(world.wakes(), 1);
    let claim = world.claim(WORKER).await.unwrap();
    world.work(claim).await;
    assert!(world.claim(WORKER).await.is_none());
    let run = world.run(run.id).await;
    assert_eq!((run.status, run.progress), (RunStatus::Succeeded, 10_000));
    assert_eq!(run.output, Some(json(r#"{"last": "cb5"}"#)));
    let step = world.step(run.id, "b").await;
    assert_eq!(step.input, Some(json(r#"{"value": "b5"}"#)));
    assert_eq!(step.output, Some(Json::from("b5")));
    assert_eq!((step.attempt, step.status), (1, StepStatus::Succeeded));
    assert_eq!(world.wakes(), 1, "nobody else had anything to do");
    let mut expected = vec!["run.queued", "run.started"];
    expected.extend(["step.started", "step.succeeded", "run.progressed"].repeat(3));
    expected.push("run.succeeded");
    assert_eq!(world.events().await, expected);
}

#[tokio::test]
async fn independent_steps_do_not_wait_for_one_another() {
    let world = World::new(echo);
    let definition = r#"{"steps": [
        {"id": "slow", "tool": "do", "with": {"value": "slow"}},
        {"id": "fast", "tool": "do", "with": {"value": "fast"}},
        {"id": "after", "tool": "do", "with": {"value": "after"}, "needs": ["fast"]},
        {"id": "both", "tool": "do", "with": {"value": "both"}, "needs": ["slow", "after"]}
    ]}"#;
    let run = world.start(definition, "{}").await;
    let slow = world.claim_call(WORKER).await;
    world.drain().await;
    assert_eq!(world.calls(), [r#""fast""#, r#""after""#]);
    assert_eq!(world.run(run.id).await.progress, 5_000);
    let next = world.service.finish(&slow, Ok(Outcome::Done(Json::Null)));
    let next = next.await.unwrap().expect("the join is ready");
    assert_eq!(next.step.step, "both");
    world.work(next).await;
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_run_without_steps_ends_at_once() {
    let world = World::new(echo);
    let definition = r#"{"inputs": {"x": {}}, "steps": [], "outputs": {"y": "{{ inputs.x }}"}}"#;
    let run = world.start(definition, r#"{"x": 1}"#).await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.output, Some(json(r#"{"y": 1}"#)));
    assert_eq!(run.progress, 10_000);
}

#[tokio::test]
async fn a_condition_skips_a_step_and_its_dependants_go_on() {
    let world = World::new(echo);
    let definition = r#"{"steps": [
        {"id": "a", "tool": "do", "if": "{{ inputs.go }}", "with": {"value": 1}},
        {"id": "b", "tool": "do", "with": {"value": "{{ steps.a.output }}"}}
    ], "outputs": {"status": "{{ steps.a.status }}"}}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.output, Some(json(r#"{"status": "skipped"}"#)));
    assert_eq!(world.calls(), ["null"]);
    let pipeline = run.pipeline_id;
    let input = json(r#"{"go": true}"#);
    let run = world.start_again(pipeline, &input).await;
    world.drain().await;
    assert_eq!(world.calls(), ["null", "1", "1"]);
    assert_eq!(world.run(run.id).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_fan_out_keeps_the_order_and_the_concurrency() {
    let world = World::new(echo);
    let definition = r#"{"inputs": {"list": {"type": "array"}}, "steps": [
        {"id": "each", "tool": "do", "for_each": "{{ inputs.list }}", "concurrency": 2,
         "with": {"value": "{{ item }}{{ index }}"}},
        {"id": "after", "tool": "do", "with": {"value": "{{ steps.each.output }}"}}
    ]}"#;
    let run = world.start(definition, r#"{"list": ["a", "b", "c", "d"]}"#);
    let run = run.await;
    let parent = world.claim(WORKER).await.unwrap();
    let prepared = world.service.prepare(&parent).await.unwrap();
    let archesai_workflows::Prepared::Ended(Some(first)) = prepared else {
        panic!("the worker goes on with the first item");
    };
    let second = world.claim_call(WORKER).await;
    assert_eq!(second.claim.step.index, Some(1));
    assert!(world.claim(WORKER).await.is_none(), "two at once");
    let third = world
        .service
        .finish(&second, Ok(Outcome::Done(Json::from("b1"))));
    let third = third.await.unwrap().expect("a slot is free again");
    assert_eq!(third.step.index, Some(2));
    assert_eq!(world.run(run.id).await.progress, 1_250);
    assert_eq!(world.run(run.id).await.status, RunStatus::Running);
    world.work(third).await;
    world.work(first).await;
    world.drain().await;
    let run = world.run(run.id).await;
    assert_eq!(run.status, RunStatus::Succeeded);
    let each = world.step(run.id, "each").await;
    assert_eq!(each.output, Some(json(r#"["a0", "b1", "c2", "d3"]"#)));
    assert_eq!(
        each.items.map(|items| (items.total, items.done)),
        Some((4, 4))
    );
    let after = world.step(run.id, "after").await;
    assert_eq!(after.output, each.output);
}

#[tokio::test]
async fn an_empty_fan_out_succeeds() {
    let world = World::new(echo);
    let definition = r#"{"steps": [
        {"id": "each", "tool": "do", "for_each": [], "with": {"value": 1}},
        {"id": "after", "tool": "do", "with": {"value": "{{ steps.each.output }}"}}
    ]}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(world.calls(), ["[]"]);
}

#[tokio::test]
async fn a_sleeping_step_holds_no_worker() {
    let world = World::new(|call| {
        if call.sleeps > 0 {
            return Ok(Outcome::Done(Json::from(i64::from(call.attempt))));
        }
        let until = std::time::UNIX_EPOCH + Duration::from_secs(1_000_060);
        Ok(Outcome::Sleep { until })
    });
    let definition = r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": 1}}],
        "outputs": {"attempt": "{{ steps.a.output }}"}}"#;
    let run = world.finish(definition, "{}").await;
    assert_eq!(run.status, RunStatus::Waiting);
    assert_eq!(world.service.heartbeat(WORKER).await.unwrap(), []);
    assert_eq!(world.wakes(), 2, "workers are to know when it is due");
    let due_in = world.service.due_in().await.unwrap();
    assert_eq!(due_in, Some(Duration::from_mins(1)));
    world.clock.forward(Duration::from_mins(1));
    world.drain().await;
    let run = world.run(run.id).await;
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.output, Some(json(r#"{"attempt": 1}"#)));
    let events = world.events().await;
    let position = |kind| events.iter().position(|event| *event == kind);
    assert!(position("step.sleeping") < position("run.waiting"));
    assert!(position("run.waiting") < position("run.resumed"));
}

#[tokio::test]
async fn a_run_keeps_to_its_version() {
    let world = World::new(echo);
    let run = world.start(CHAIN, "{}").await;
    let changes = PipelineChanges {
        definition: Some(json(r#"{"steps": []}"#)),
        ..PipelineChanges::default()
    };
    let update = world
        .service
        .update_pipeline(ME, run.pipeline_id, Some(&[1]), changes);
    assert_eq!(update.await.unwrap().version, 2);
    world.drain().await;
    let run = world.run(run.id).await;
    assert_eq!(run.pipeline_version, 1);
    assert_eq!(run.output, Some(json(r#"{"last": "cb1"}"#)));
}

#[tokio::test]
async fn a_lost_update_is_refused() {
    let world = World::new(echo);
    let pipeline = world.pipeline(CHAIN).await;
    let rename = |name: &str| PipelineChanges {
        name: Some(name.to_owned()),
        description: Some(Some("d".to_owned())),
        ..PipelineChanges::default()
    };
    let update = |name| {
        world
            .service
            .update_pipeline(ME, pipeline.id, Some(&[1]), rename(name))
    };
    assert_eq!(update("q").await.unwrap().name, "q");
    assert!(matches!(update("r").await, Err(Error::VersionConflict)));
    let found = world.service.pipeline(ORGANIZATION, pipeline.id).await;
    assert_eq!(found.unwrap().description.as_deref(), Some("d"));
}

#[tokio::test]
async fn a_pipeline_is_checked_when_it_is_saved() {
    let world = World::new(echo);
    let new = NewPipeline {
        id: PipelineId(1),
        name: " ".to_owned(),
        description: None,
        definition: json(r#"{"steps": [{"id": "a", "tool": "no"}]}"#),
    };
    let Err(Error::Invalid(found)) = world.service.create_pipeline(ME, new).await else {
        panic!("it was to be refused");
    };
    let places: Vec<&str> = found.iter().map(|one| one.pointer.as_str()).collect();
    assert_eq!(places, ["/name", "/definition/steps/0/tool"]);
    let run = world.pipeline(CHAIN).await;
    let input = json(r#"{"y": 1}"#);
    let started = world.service.start_run(ME, RunId(1), run.id, &input);
    let Err(Error::Invalid(found)) = started.await else {
        panic!("it was to be refused");
    };
    assert_eq!(found[0].pointer, "/input/y");
}

#[tokio::test]
async fn another_organization_sees_nothing() {
    let world = World::new(echo);
    let run = world.start(CHAIN, "{}").await;
    let other = OrganizationId(99);
    let stranger = archesai_workflows::Actor {
        organization_id: other,
        ..ME
    };
    let service = &world.service;
    let missing = [
        service.run(other, run.id).await.err(),
        service.cancel_run(stranger, run.id).await.err(),
        service.pipeline(other, run.pipeline_id).await.err(),
        service
            .delete_pipeline(stranger, run.pipeline_id, None)
            .await
            .err(),
        service
            .start_run(stranger, RunId(1), run.pipeline_id, &Json::Null)
            .await
            .err(),
        service
            .update_pipeline(stranger, run.pipeline_id, None, PipelineChanges::default())
            .await
            .err(),
        service.list_logs(other, run.id, None, 0, 9).await.err(),
        service.cancel_run(ME, RunId(12_345)).await.err(),
        service
            .pipeline(ORGANIZATION, PipelineId(12_345))
            .await
            .err(),
    ];
    assert!(
        missing
            .iter()
            .all(|error| matches!(error, Some(Error::NotFound)))
    );
}

#[tokio::test]
async fn lists_come_in_slices() {
    let world = World::new(echo);
    let run = world.finish(CHAIN, "{}").await;
    let second = world.start_again(run.pipeline_id, &Json::Null).await;
    let mut slice = Slice {
        limit: 1,
        after: None,
        sort: RunSort::CreatedAt,
        descending: true,
    };
    let filter = RunFilter {
        pipeline: Some(run.pipeline_id),
        status: None,
    };
    let page = world.service.list_runs(ORGANIZATION, filter, &slice).await;
    let page = page.unwrap();
    assert_eq!(page.items[0].id, second.id);
    slice.after = page.next;
    let page = world.service.list_runs(ORGANIZATION, filter, &slice).await;
    let page = page.unwrap();
    assert_eq!((page.items[0].id, page.next), (run.id, None));
}

#[tokio::test]
async fn logs_are_appended_in_order_and_cut() {
    let world = World::new(echo);
    let run = world.start(CHAIN, "{}").await;
    let call = world.claim_call(WORKER).await;
    let entry = |message: String| LogEntry {
        at: std::time::UNIX_EPOCH,
        level: LogLevel::Info,
        message,
    };
    let entries = vec![entry("one".to_owned()), entry("x".repeat(10_000))];
    let appended = world.service.append_logs(&call.claim, entries).await;
    appended.unwrap();
    let logs = world.service.list_logs(ORGANIZATION, run.id, None, 0, 10);
    let logs = logs.await.unwrap();
    assert_eq!(logs[0].message, "one");
    assert_eq!(logs[1].message.len(), 8 * 1024);
    let rest = world
        .service
        .list_logs(ORGANIZATION, run.id, Some(call.claim.step.id), 1, 10);
    assert_eq!(rest.await.unwrap(), logs[1..]);
}

#[tokio::test]
async fn pipelines_are_listed_by_name() {
    let world = World::new(|_| Err(ToolError::permanent("x", "y")));
    world.pipeline(CHAIN).await;
    let slice = Slice {
        limit: 5,
        after: None,
        sort: PipelineSort::Name,
        descending: false,
    };
    let page = world.service.list_pipelines(ORGANIZATION, &slice).await;
    assert_eq!(page.unwrap().items.len(), 1);
    assert_eq!(world.service.tools()[0].name, "do");
    let found = world.service.check_definition(json(CHAIN)).await;
    assert_eq!(found.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_share_a_run() {
    let world = Arc::new(World::new(echo));
    let items: Vec<String> = (0..60).map(|item| item.to_string()).collect();
    let list = format!("[{}]", items.join(","));
    let definition = format!(
        r#"{{"steps": [
            {{"id": "each", "tool": "do", "for_each": {list}, "concurrency": 7, "with": {{"value": "{{{{ item }}}}"}}}},
            {{"id": "other", "tool": "do", "for_each": {list}, "with": {{"value": "{{{{ index }}}}"}}}}
        ], "outputs": {{"each": "{{{{ steps.each.output }}}}", "other": "{{{{ steps.other.output }}}}"}}}}"#
    );
    let run = world.start(&definition, "{}").await;
    let workers = (1..5).map(|worker| {
        let world = world.clone();
        tokio::spawn(async move {
            while !world.run(run.id).await.status.is_ended() {
                match world.claim(WorkerId(worker)).await {
                    Some(claim) => world.work(claim).await,
                    None => tokio::task::yield_now().await,
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let run = world.run(run.id).await;
    assert_eq!(run.status, RunStatus::Succeeded);
    let expected = format!(r#"{{"each": {list}, "other": {list}}}"#);
    assert_eq!(run.output, Some(json(&expected)));
    assert_eq!(world.calls().len(), 120, "every item is called once");
}
