//! Events and wake-ups while Redis comes and goes: everything arrives, or it is said that some
//! did not.

use std::time::{Duration, Instant, UNIX_EPOCH};

use archesai_bus::{EventSubscription, Wakeups};
use archesai_conformance::fault_proxy::Fault;
use archesai_platform::{
    events::{LoggedEvent, Publisher as _, Subscriber as _, Subscription as _},
    wakeups::{Wake as _, Wakeups as _},
};
use archesai_redis::RedisEvents;
use deadpool_redis::redis::{self, AsyncCommands as _};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use crate::{
    distant::{Distant, PATIENCE},
    support::{RECOVERY, alone, until},
};

fn event(sequence: i64) -> LoggedEvent {
    LoggedEvent {
        sequence,
        id: u128::MAX,
        organization_id: None,
        actor_id: Some(1),
        aggregate_kind: "run".to_owned(),
        aggregate_id: 1,
        kind: "run.started".to_owned(),
        payload: "{}".to_owned(),
        occurred_at: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
    }
}

async fn publish(events: &RedisEvents, sequences: impl IntoIterator<Item = i64>) {
    for sequence in sequences {
        events.publish(&event(sequence)).await.unwrap();
    }
}

/// The place in the log of the next event that is heard of; `None` if some were missed.
async fn next(heard: &mut EventSubscription) -> Option<i64> {
    let next = timeout(RECOVERY, heard.next()).await;
    let next = next.expect("it hears in time")?;
    assert_eq!(next, event(next.sequence));
    Some(next.sequence)
}

async fn hears(heard: &mut EventSubscription, expected: impl IntoIterator<Item = i64>) {
    for expected in expected {
        assert_eq!(next(heard).await, Some(expected));
    }
}

/// Listens from a place on that is known.
async fn listening(there: &Distant) -> EventSubscription {
    let mut heard = there.far.events().subscribe();
    assert_eq!(next(&mut heard).await, None, "what came before is unknown");
    heard
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was() {
    let there = Distant::new().await;
    let events = there.near.events();
    let mut heard = listening(&there).await;
    publish(&events, 0..10).await;
    hears(&mut heard, 0..10).await;
    for (round, fault) in (1..).zip([Fault::Refuse, Fault::BlackHole]) {
        there.proxy.set(fault).await;
        // More than are read at once.
        let outage = round * 10_000..round * 10_000 + 1_200;
        publish(&events, outage.clone()).await;
        there.proxy.set(Fault::None).await;
        hears(&mut heard, outage).await;
        publish(&events, [round]).await;
        hears(&mut heard, [round]).await;
    }
    for round in 0..5 {
        there.proxy.reset();
        publish(&events, [round]).await;
        hears(&mut heard, [round]).await;
    }
}

#[tokio::test]
async fn what_was_dropped_meanwhile_is_missed() {
    let there = Distant::new().await;
    let events = there.near.events();
    let client = redis::Client::open(alone()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let stream = format!("{{{}}}:events", there.prefix);
    let mut heard = listening(&there).await;
    publish(&events, 0..10).await;
    hears(&mut heard, 0..10).await;

    // Trimmed, while it is away.
    there.proxy.set(Fault::Refuse).await;
    publish(&events, 10..20).await;
    let trim = redis::cmd("XTRIM")
        .arg(&stream)
        .arg("MAXLEN")
        .arg(5)
        .clone();
    let () = trim.query_async(&mut raw).await.unwrap();
    there.proxy.set(Fault::None).await;
    assert_eq!(next(&mut heard).await, None);
    hears(&mut heard, 15..20).await;

    // Gone, with and without something in its place.
    for after in [0..0, 30..33] {
        there.proxy.set(Fault::Refuse).await;
        let () = raw.del(&stream).await.unwrap();
        publish(&events, after.clone()).await;
        there.proxy.set(Fault::None).await;
        assert_eq!(next(&mut heard).await, None);
        hears(&mut heard, after).await;
    }

    // Gone under its eyes.
    let () = raw.del(&stream).await.unwrap();
    assert_eq!(next(&mut heard).await, None);
    publish(&events, 40..43).await;
    hears(&mut heard, 40..43).await;
}

#[tokio::test]
async fn who_began_to_listen_in_an_outage_is_told_that_it_missed_some() {
    let there = Distant::before(Fault::BlackHole, &alone(), "", &alone()).await;
    let mut heard = there.far.events().subscribe();
    publish(&there.near.events(), 0..3).await;
    there.proxy.set(Fault::None).await;
    assert_eq!(next(&mut heard).await, None);
    publish(&there.near.events(), 3..6).await;
    hears(&mut heard, 3..6).await;
    // Others go on from what is known.
    let mut other = there.far.events().subscribe();
    publish(&there.near.events(), 6..9).await;
    hears(&mut heard, 6..9).await;
    hears(&mut other, 6..9).await;
}

#[tokio::test]
async fn what_cannot_be_published_fails_soon() {
    let there = Distant::new().await;
    let events = there.far.events();
    let mut heard = there.near.events().subscribe();
    assert_eq!(next(&mut heard).await, None);
    there.proxy.set(Fault::BlackHole).await;
    let begun = Instant::now();
    assert!(events.publish(&event(1)).await.is_err());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    there.proxy.set(Fault::None).await;
    let publishes = async || events.publish(&event(2)).await.is_ok();
    until("it publishes again", publishes).await;
    // The first one was on its way, and may arrive whenever it likes.
    while next(&mut heard).await != Some(2) {}
}

#[tokio::test]
async fn an_event_that_is_not_understood_is_missed() {
    let there = Distant::new().await;
    let client = redis::Client::open(alone()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let mut heard = listening(&there).await;
    let mut add = redis::cmd("XADD");
    add.arg(format!("{{{}}}:events", there.prefix));
    add.arg("*").arg("event").arg("{}");
    let () = add.query_async(&mut raw).await.unwrap();
    assert_eq!(next(&mut heard).await, None);
    publish(&there.near.events(), [1]).await;
    hears(&mut heard, [1]).await;
}

async fn woken(waiting: &Wakeups) {
    let woken = timeout(RECOVERY, waiting.woken()).await;
    woken.expect("it is woken in time");
}

#[tokio::test]
async fn who_waits_here_is_woken_without_redis() {
    let there = Distant::before(Fault::Refuse, &alone(), "", &alone()).await;
    let (here, elsewhere) = (there.far.wakeups("steps"), there.near.wakeups("steps"));
    // It is woken once for what may have been before it listened.
    woken(&elsewhere).await;
    here.wake();
    assert!(here.woken().now_or_never().is_some());
    // Who waits elsewhere is, once there is Redis.
    assert!(elsewhere.woken().now_or_never().is_none());
    there.proxy.set(Fault::None).await;
    woken(&elsewhere).await;
}

#[tokio::test]
async fn who_was_away_is_woken_when_it_is_back() {
    let there = Distant::new().await;
    let (here, elsewhere) = (there.far.wakeups("steps"), there.near.wakeups("steps"));
    woken(&here).await;
    for fault in [Fault::Refuse, Fault::BlackHole] {
        there.proxy.set(fault).await;
        elsewhere.wake();
        there.proxy.set(Fault::None).await;
        woken(&here).await;
    }
}

#[tokio::test]
async fn who_wakes_others_does_not_hear_of_it() {
    let there = Distant::new().await;
    let (steps, indexing) = (there.near.wakeups("steps"), there.near.wakeups("indexing"));
    let elsewhere = there.far.wakeups("steps");
    for waiting in [&steps, &indexing, &elsewhere] {
        woken(waiting).await;
    }
    steps.wake();
    assert!(steps.woken().now_or_never().is_some());
    woken(&elsewhere).await;
    // What came after it has been heard, and so has it.
    let after = there.far.wakeups("indexing");
    after.wake();
    woken(&indexing).await;
    assert!(steps.woken().now_or_never().is_none());
}
