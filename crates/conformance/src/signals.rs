//! What is promised of published events and of wake-ups.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archesai_platform::{
    events::{LoggedEvent, Publisher, Subscriber, Subscription},
    wakeups::Wake,
};
use tokio::time::timeout;

use crate::fresh;

/// How long anything may take.
const LATE: Duration = Duration::from_secs(5);

/// More events than any adapter holds back for a listener that does not listen.
const FLOOD: i64 = 20_000;

fn event(sequence: i64, aggregate: u128) -> LoggedEvent {
    LoggedEvent {
        sequence,
        id: fresh(),
        organization_id: Some(fresh()),
        actor_id: None,
        aggregate_kind: "run".to_owned(),
        aggregate_id: aggregate,
        kind: "run.started".to_owned(),
        payload: r#"{"type":"run.started","text":"Zoë\u0000🦀"}"#.to_owned(),
        occurred_at: time(),
    }
}

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456)
}

/// The next event of an aggregate, or that some were missed.
async fn next(subscription: &mut impl Subscription, aggregate: u128) -> Option<LoggedEvent> {
    let next = async {
        loop {
            match subscription.next().await {
                // Others use the same broker.
                Some(event) if event.aggregate_id != aggregate => {}
                next => return next,
            }
        }
    };
    timeout(LATE, next).await.expect("it hears in time")
}

/// Runs every check on a publisher and what hears of it.
pub async fn events_suite(publisher: &impl Publisher, subscriber: &impl Subscriber) {
    what_is_published_arrives_or_is_missed(publisher, subscriber).await;
    every_listener_hears_everything_in_order(publisher, subscriber).await;
    a_slow_listener_is_told_what_it_missed(publisher, subscriber).await;
}

async fn what_is_published_arrives_or_is_missed(
    publisher: &impl Publisher,
    subscriber: &impl Subscriber,
) {
    let mut subscription = subscriber.subscribe();
    let event = event(1, fresh());
    publisher.publish(&event).await.unwrap();
    let heard = next(&mut subscription, event.aggregate_id).await;
    assert!(heard.is_none_or(|heard| heard == event));
}

/// Listens, and publishes until the first event arrives.
async fn listening<S: Subscriber>(publisher: &impl Publisher, subscriber: &S) -> S::Subscription {
    let mut subscription = subscriber.subscribe();
    loop {
        // Another one each time: a broker may know one that it had before.
        let first = event(0, fresh());
        publisher.publish(&first).await.unwrap();
        if next(&mut subscription, first.aggregate_id).await.is_some() {
            return subscription;
        }
    }
}

async fn every_listener_hears_everything_in_order(
    publisher: &impl Publisher,
    subscriber: &impl Subscriber,
) {
    let mut one = listening(publisher, subscriber).await;
    let mut two = listening(publisher, subscriber).await;
    let aggregate = fresh();
    let events: Vec<_> = (1..=100).map(|at| event(at, aggregate)).collect();
    for event in &events {
        publisher.publish(event).await.unwrap();
    }
    for event in &events {
        for subscription in [&mut one, &mut two] {
            let heard = next(subscription, aggregate).await;
            assert_eq!(heard.as_ref(), Some(event));
        }
    }
}

async fn a_slow_listener_is_told_what_it_missed(
    publisher: &impl Publisher,
    subscriber: &impl Subscriber,
) {
    let mut subscription = listening(publisher, subscriber).await;
    let aggregate = fresh();
    for at in 1..=FLOOD {
        publisher.publish(&event(at, aggregate)).await.unwrap();
    }
    let mut expected = 1;
    while expected <= FLOOD {
        match next(&mut subscription, aggregate).await {
            Some(event) => {
                assert_eq!(event.sequence, expected, "it is told of a gap");
                expected += 1;
            }
            None => match next(&mut subscription, aggregate).await {
                // Whoever missed the end hears of what comes after it.
                None => publisher.publish(&event(FLOOD, aggregate)).await.unwrap(),
                Some(event) => {
                    assert!(event.sequence >= expected);
                    expected = event.sequence + 1;
                }
            },
        }
    }
}

/// Runs every check on a way to wake and to be woken, here or on another node.
pub async fn wakeups_suite(wake: impl Fn(), waiting: &impl Wake) {
    let woken = async || {
        timeout(LATE, waiting.woken())
            .await
            .expect("it is woken in time");
    };
    // Nobody waits: it is not lost.
    wake();
    woken().await;
    // Somebody waits.
    tokio::join!(woken(), async { wake() });
    // Many are at least one.
    for _ in 0..1_000 {
        wake();
    }
    woken().await;
    wake();
    woken().await;
}
