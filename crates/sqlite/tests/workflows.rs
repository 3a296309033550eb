//! Workflows on a real database in a file.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

use std::time::{Duration, Instant, UNIX_EPOCH};

use archesai_conformance::workflows::{self, program::Program};
use archesai_organizations::{Organization, OrganizationId, Plan, ports::Repository as _};
use archesai_sqlite::{Database, Pooled, Sqlite};
use archesai_workflows::{
    self as domain, Json, RunId, RunStatus, WorkerId, ports::Repository as _,
};
use tempfile::TempDir;

/// A database with two organizations.
async fn world() -> (Sqlite<Pooled>, [domain::OrganizationId; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archesai.db");
    let store = Database::open(&path, 4).await.unwrap().store();
    let organizations = [1, 2].map(domain::OrganizationId);
    for id in organizations {
        store.insert_organization(&organization(id)).await.unwrap();
    }
    (store, organizations, folder)
}

fn organization(id: domain::OrganizationId) -> Organization {
    Organization {
        id: OrganizationId(id.0),
        name: "o".to_owned(),
        plan: Plan::Free,
        credits: 0,
        personal_of: None,
        version: 1,
        created_at: UNIX_EPOCH,
        updated_at: UNIX_EPOCH,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_is_kept() {
    let (store, organizations, _folder) = world().await;
    workflows::suite(&store, organizations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_organization_takes_its_runs_with_it() {
    let (store, [ours, _], _folder) = world().await;
    let program = Program::new(store.clone(), ours);
    let run = program.start(fan_out(), &numbers(3)).await;
    let worker = WorkerId(1);
    let claims = program.service.claim(worker, 1).await.unwrap();
    program.service.prepare(&claims[0]).await.unwrap();
    let deleted = store.delete_organization(OrganizationId(ours.0)).await;
    assert!(deleted.unwrap());
    let found = store.find_definition(ours, run.pipeline_id, 1).await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(store.find_run(ours, run.id).await.unwrap(), None);
    let held = program.service.heartbeat(worker).await.unwrap();
    assert_eq!(held, vec![]);
    let claims = program.service.claim(worker, 10).await.unwrap();
    assert_eq!(claims, vec![]);
}

/// What nests deeper than a reader goes will not be read the next time either.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_read_is_told_from_a_failure() {
    let (store, [ours, _], _folder) = world().await;
    let program = Program::new(store.clone(), ours);
    let run = program.start(chain(1), &json("{}")).await;
    let too_deep = domain::Run {
        id: RunId(1),
        input: (0..200).fold(Json::Null, |inner, _| Json::Array(vec![inner])),
        ..run
    };
    store.insert_run(&too_deep, &[]).await.unwrap();
    let input = store.find_run_input(ours, too_deep.id).await;
    assert!(matches!(input, Err(domain::Error::Unreadable(_))));
}

/// Prints how long things take, with `--nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn chains_and_fan_outs_end() {
    let (store, [ours, _], _folder) = world().await;
    let program = Program::new(store, ours);
    for steps in [1, 40, 40] {
        let run = program.start(chain(steps), &json("{}")).await;
        let elapsed = work(&program, run.id).await;
        println!("{steps:5} steps, one after another: {elapsed:?}");
    }
    for items in [100, 1_000] {
        let run = program.start(fan_out(), &numbers(items)).await;
        let elapsed = work(&program, run.id).await;
        println!("{items:5} items of a fan-out: {elapsed:?}");
    }
    let start = Instant::now();
    for _ in 0..1_000 {
        program.work(WorkerId(1), 100).await;
    }
    println!("a claim of nothing: {:?}", start.elapsed() / 1_000);
}

/// Works until a run has ended, and tells how long it took.
async fn work(program: &Program<Sqlite<Pooled>>, run: RunId) -> Duration {
    let start = Instant::now();
    program.work(WorkerId(1), 100).await;
    let elapsed = start.elapsed();
    let status = program.run(run).await.status;
    assert_eq!(status, RunStatus::Succeeded);
    elapsed
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn numbers(count: usize) -> Json {
    json(&format!(r#"{{"x": {:?}}}"#, (0..count).collect::<Vec<_>>()))
}

fn chain(steps: usize) -> Json {
    let step = |at: usize| match at.checked_sub(1) {
        None => r#"{"id": "s0", "tool": "echo", "with": {"value": 1}}"#.to_owned(),
        Some(before) => format!(
            r#"{{"id": "s{at}", "tool": "echo",
                "with": {{"value": "{{{{ steps.s{before}.output }}}}"}}}}"#
        ),
    };
    let steps: Vec<String> = (0..steps).map(step).collect();
    json(&format!(r#"{{"steps": [{}]}}"#, steps.join(",")))
}

fn fan_out() -> Json {
    json(
        r#"{"inputs": {"x": {"default": []}}, "steps": [{"id": "all", "tool": "echo",
            "for_each": "{{ inputs.x }}", "with": {"value": "{{ item }}"}}]}"#,
    )
}
