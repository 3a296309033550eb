//! Watching runs over HTTP: nothing is missed, nothing is told twice, and
//! nothing is left behind.
//!
//! The store is that of the workflows crate's own example of embedding.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on is one that fails"
)]

#[path = "../../workflows/examples/embedding/expressions.rs"]
mod expressions;
#[path = "../../workflows/examples/embedding/store.rs"]
mod store;

mod streams {
    pub(crate) mod client;
    pub(crate) mod world;
}

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use streams::{
    client::Event,
    world::{Bus, World},
};

/// A poll or heartbeat that never comes within a test.
const NEVER: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_millis(5);

#[actix_web::test]
async fn a_run_is_told_from_start_to_end() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["one", "two"]).await;
    world.work_all().await;
    let events = world.watch(run, None).await.rest().await;

    let told: Vec<_> = events.iter().map(Event::gist).collect();
    assert_eq!(
        told,
        [
            "run queued",
            "run running",
            "step first running",
            "log one",
            "step first succeeded",
            "progress 50.0",
            "step second running",
            "log two",
            "step second succeeded",
            "progress 100.0",
            "run succeeded",
        ]
    );
    let last = events.last().unwrap();
    let run_id = Uuid::from_u128(run.0);
    assert_eq!(
        last.data,
        json!({"run_id": run_id, "status": "succeeded", "progress": 100.0})
    );
}

#[actix_web::test]
async fn a_run_that_fails_says_where() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["one", "fail"]).await;
    world.work_all().await;
    let events = world.watch(run, None).await.rest().await;
    let error = json!({"code": "scripted", "message": "as told", "step": "second"});
    assert_eq!(events.last().unwrap().data["error"], error);
}

#[actix_web::test]
async fn whoever_comes_back_misses_nothing_and_gets_nothing_twice() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["one", "two"]).await;
    world.work_all().await;
    let events = world.watch(run, None).await.rest().await;
    for (at, event) in events.iter().enumerate() {
        let answer = world.watch(run, Some(&event.id)).await;
        let rest = &events[at + 1..];
        let status = if rest.is_empty() { 204 } else { 200 };
        assert_eq!(answer.status, status, "after {}", event.id);
        assert_eq!(answer.rest().await, rest, "after {}", event.id);
    }
}

#[actix_web::test]
async fn long_stories_are_told_page_by_page() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["much"]).await;
    world.work_all().await;
    let events = world.watch(run, None).await.rest().await;
    let lines = events.iter().filter(|event| event.name == "log").count();
    assert_eq!(lines, 250);
    assert_eq!(events.last().unwrap().gist(), "run succeeded");
}

#[actix_web::test]
async fn what_is_published_is_told_at_once() {
    let world = World::new(Bus::Loud, NEVER, NEVER);
    let run = world.start(&["one", "two"]).await;
    let mut reader = world.watch(run, None).await;
    assert_eq!(reader.next().await.unwrap().gist(), "run queued");
    // The reader waits by the time that there is something to tell.
    let (events, ()) = tokio::join!(reader.rest(), world.work_all());
    assert_eq!(events.last().unwrap().gist(), "run succeeded");
}

#[actix_web::test]
async fn what_nobody_told_is_found() {
    let world = World::new(Bus::Silent, SOON, NEVER);
    let run = world.start(&["one", "two"]).await;
    let mut reader = world.watch(run, None).await;
    assert_eq!(reader.next().await.unwrap().gist(), "run queued");
    // The reader waits by the time that there is something to tell.
    let (events, ()) = tokio::join!(reader.rest(), world.work_all());
    assert_eq!(events.last().unwrap().gist(), "run succeeded");
}

#[actix_web::test]
async fn a_stream_ends_with_its_credential() {
    let world = World::new(Bus::Silent, SOON, NEVER);
    let run = world.start(&["one"]).await;
    let mut reader = world.watch(run, None).await;
    reader.next().await.unwrap();
    let (events, ()) = tokio::join!(reader.rest(), async { world.revoke() });
    assert_eq!(events, []);
}

#[actix_web::test]
async fn a_stream_ends_with_its_run_and_with_its_server() {
    let world = World::new(Bus::Silent, SOON, SOON);
    let run = world.start(&["one"]).await;
    let reader = world.watch(run, None).await;
    world.delete_pipelines().await;
    let events = reader.rest().await;
    assert_eq!(events.last().unwrap().gist(), "run cancelled");

    let run = world.start(&["one"]).await;
    let mut reader = world.watch(run, None).await;
    reader.next().await.unwrap();
    let (events, ()) = tokio::join!(reader.rest(), async { world.live.close() });
    assert_eq!(events, []);
    assert_eq!(world.watch(run, None).await.status, 503);
}

#[actix_web::test]
async fn an_idle_stream_shows_that_it_is_alive() {
    let world = World::new(Bus::Silent, NEVER, SOON);
    let run = world.start(&["one"]).await;
    let mut reader = world.watch(run, None).await;
    reader.next().await.unwrap();
    reader.comment().await;
    reader.comment().await;
}

#[actix_web::test]
async fn who_leaves_makes_room() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["one"]).await;
    let first = world.watch(run, None).await;
    let second = world.watch(run, None).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(world.watch(run, None).await.status, 503);
    drop(first);
    assert_eq!(world.watch(run, None).await.status, 200);
}

#[actix_web::test]
async fn bad_requests_get_a_problem() {
    let world = World::new(Bus::Silent, NEVER, NEVER);
    let run = world.start(&["one"]).await;
    for id in ["x", "1", "1-x", "-1-2"] {
        let answer = world.watch(run, Some(id)).await;
        assert_eq!(answer.status, 422, "{id}");
    }
    let strange = archesai_workflows::RunId(run.0 + 1);
    assert_eq!(world.watch(strange, None).await.status, 404);
    assert_eq!(world.watch_as(8, run).await.status, 404);
}
