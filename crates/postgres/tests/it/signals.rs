//! How nodes hear of each other through the database.

use std::time::Duration;

use archesai_conformance::signals::{events_suite, wakeups_suite};
use archesai_platform::{
    events::{LoggedEvent, Publisher as _, Subscriber as _, Subscription as _},
    wakeups::{Wake as _, Wakeups as _},
};
use diesel::sql_query;
use diesel_async::RunQueryDsl as _;
use tokio::time::timeout;

use crate::scratch::{Scratch, connect};

const LATE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    let scratch = Scratch::new().await;
    let (here, there) = (scratch.open().await, scratch.open().await);
    let (here, there) = (here.listen(&[]).unwrap(), there.listen(&[]).unwrap());
    events_suite(&here.events(), &there.events()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wakeups() {
    let scratch = Scratch::new().await;
    let (here, there) = (scratch.open().await, scratch.open().await);
    let names = &["one", "two"];
    let (here, there) = (here.listen(names).unwrap(), there.listen(names).unwrap());
    let (one, waiting) = (here.wakeups("one"), there.wakeups("one"));
    // From now on it listens.
    timeout(LATE, waiting.woken()).await.unwrap();
    wakeups_suite(|| one.wake(), &one).await;
    wakeups_suite(|| one.wake(), &waiting).await;
}

/// Whoever lost the connection is told that they may have missed something, and hears again.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told_and_mended() {
    let scratch = Scratch::new().await;
    let signals = scratch.open().await.listen(&["work"]).unwrap();
    let (events, work) = (signals.events(), signals.wakeups("work"));
    let mut heard = events.subscribe();
    let missed = timeout(LATE, heard.next()).await.unwrap();
    assert_eq!(missed, None, "it begins to listen");
    timeout(LATE, work.woken()).await.unwrap();

    let mut owner = connect(&scratch.owner().url).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    sql_query(end).execute(&mut owner).await.unwrap();
    assert_eq!(timeout(LATE, heard.next()).await.unwrap(), None);
    timeout(LATE, work.woken()).await.unwrap();
    let event = event("{}".to_owned());
    events.publish(&event).await.unwrap();
    assert_eq!(timeout(LATE, heard.next()).await.unwrap(), Some(event));
}

/// What is too long to be said is told as missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_event_is_told_as_missed() {
    let scratch = Scratch::new().await;
    let events = scratch.open().await.listen(&[]).unwrap().events();
    let mut heard = events.subscribe();
    assert_eq!(timeout(LATE, heard.next()).await.unwrap(), None);
    let long = event(format!("\"{}\"", "x".repeat(8_000)));
    events.publish(&long).await.unwrap();
    assert_eq!(timeout(LATE, heard.next()).await.unwrap(), None);
}

fn event(payload: String) -> LoggedEvent {
    LoggedEvent {
        sequence: 1,
        id: 2,
        organization_id: None,
        actor_id: None,
        aggregate_kind: "user".to_owned(),
        aggregate_id: 3,
        kind: "user.registered".to_owned(),
        payload,
        occurred_at: std::time::SystemTime::UNIX_EPOCH,
    }
}
