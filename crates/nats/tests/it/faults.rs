//! A NATS that is gone, silent, slow or cut off: everything answers in time, nothing is lost, and
//! all goes on by itself once it is back.

use std::time::{Duration, Instant};

use archesai_bus::Wakeups;
use archesai_conformance::fault_proxy::Fault;
use archesai_nats::{Nats, NatsEvents, Settings};
use archesai_platform::{
    events::{Publisher as _, Subscriber as _},
    wakeups::{Wake as _, Wakeups as _},
};
use tokio::time::timeout;

use crate::scratch::{LIMIT, Scratch, event, listening, next, polls, publish};

/// How long publishing takes that fails.
async fn fails(events: &NatsEvents) -> Duration {
    let begun = Instant::now();
    events.publish(&event(1_000_000)).await.unwrap_err();
    begun.elapsed()
}

/// Publishes, which succeeds before long.
async fn recovers(events: &NatsEvents, sequence: i64) {
    let event = event(sequence);
    let recovered = timeout(LIMIT, publish(events, &event)).await;
    recovered.expect("it recovers in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_told_at_once_and_used_again() {
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    let near = scratch.node().await.events();
    let nats = Nats::connect(settings).await.unwrap();
    let events = nats.events();
    let mut subscription = listening(&near, &events).await;
    nats.check().await.unwrap();
    for round in 0..3 {
        proxy.set(Fault::Refuse).await;
        let mut polls = polls();
        while nats.check().await.is_ok() {
            polls.tick().await;
        }
        assert!(fails(&events).await < Duration::from_millis(100));
        // What others publish meanwhile is heard later, and nothing is missed.
        for sequence in 1..=10 {
            near.publish(&event(round * 100 + sequence)).await.unwrap();
        }
        proxy.set(Fault::None).await;
        recovers(&events, round * 100 + 11).await;
        nats.check().await.unwrap();
        for sequence in 1..=11 {
            let heard = next(&mut subscription).await;
            assert_eq!(heard, Some(event(round * 100 + sequence)));
        }
    }
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_given_up_in_time_and_used_again() {
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    let limit = settings.timeout;
    let nats = Nats::connect(settings).await.unwrap();
    let events = nats.events();
    publish(&events, &event(1)).await;
    for round in 1..3 {
        proxy.set(Fault::BlackHole).await;
        let first = fails(&events).await;
        assert!(first < 2 * limit, "{first:?}");
        let second = fails(&events).await;
        assert!(second < limit / 10, "{second:?}");
        assert!(nats.check().await.is_err());
        // Until the client finds out by itself, whoever tries waits.
        let begun = Instant::now();
        while fails(&events).await > limit / 2 || begun.elapsed() < LIMIT {}
        proxy.set(Fault::None).await;
        recovers(&events, round * 100).await;
        nats.check().await.unwrap();
    }
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_waited_for() {
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    let events = Nats::connect(settings).await.unwrap().events();
    let mut subscription = listening(&events, &events).await;
    proxy
        .set(Fault::Slow {
            latency: Duration::from_millis(50),
            bytes_per_second: 1_000_000,
        })
        .await;
    for sequence in 1..=10 {
        events.publish(&event(sequence)).await.unwrap();
        assert_eq!(next(&mut subscription).await, Some(event(sequence)));
    }
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing_and_change_no_order() {
    const EVENTS: i64 = 1_000;
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    let events = Nats::connect(settings).await.unwrap().events();
    let near = scratch.node().await.events();
    let mut subscription = listening(&events, &events).await;
    let mut beside = listening(&events, &near).await;
    let before = scratch.stream().await.cached_info().state.messages;
    // Some dozens of times.
    proxy.set(Fault::CutAfter(20_000)).await;
    let relay = async {
        for sequence in 1..=EVENTS {
            publish(&events, &event(sequence)).await;
        }
        proxy.set(Fault::None).await;
    };
    let hear = async {
        for sequence in 1..=EVENTS {
            assert_eq!(next(&mut subscription).await, Some(event(sequence)));
            assert_eq!(next(&mut beside).await, Some(event(sequence)));
        }
    };
    tokio::join!(relay, hear);
    let kept = scratch.stream().await.cached_info().state.messages - before;
    assert_eq!(kept, EVENTS.unsigned_abs());
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_needs_the_server_to_start() {
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    proxy.set(Fault::Refuse).await;
    let begun = Instant::now();
    let nats = Nats::connect(settings.clone()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    let refused = nats.check().await.unwrap_err().to_string();
    assert!(refused.contains("no connection"), "{refused}");
    let events = nats.events();
    let mut subscription = events.subscribe();
    assert!(fails(&events).await < Duration::from_millis(100));

    proxy.set(Fault::BlackHole).await;
    let begun = Instant::now();
    Nats::connect(settings).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));

    proxy.set(Fault::None).await;
    recovers(&events, 1).await;
    // What was before the first connection nobody can know.
    let begun = Instant::now();
    let mut heard = next(&mut subscription).await;
    assert!(heard.is_none_or(|heard| heard == event(1)));
    for sequence in 2.. {
        events.publish(&event(sequence)).await.unwrap();
        heard = next(&mut subscription).await;
        if heard.is_some() {
            break;
        }
    }
    assert!(begun.elapsed() < LIMIT);
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wake_ups_work_alone_and_make_up_for_what_was_lost() {
    let scratch = Scratch::new();
    let (proxy, settings) = scratch.distant().await;
    proxy.set(Fault::Refuse).await;
    let alone = Nats::connect(settings).await.unwrap();
    let here = alone.wakeups("steps");
    let there = scratch.node().await.wakeups("steps");
    let woken = async |wakeups: &Wakeups| {
        timeout(LIMIT, wakeups.woken()).await.expect("it is woken");
    };
    // By its own first connection.
    woken(&there).await;
    // More often than what is on its way has room for.
    for _ in 0..10_000 {
        here.wake();
        woken(&here).await;
    }
    proxy.set(Fault::None).await;
    woken(&here).await;
    woken(&there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_none_are_refused() {
    let scratch = Scratch::new();
    let settings = Settings {
        credentials: Some("no credentials".to_owned()),
        ..scratch.settings
    };
    let refused = Nats::connect(settings).await.unwrap_err().to_string();
    assert!(refused.contains("credentials"), "{refused}");
}
