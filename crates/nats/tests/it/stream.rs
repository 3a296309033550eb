//! What the stream keeps, for whom, and what becomes of those who read it.

use std::time::Duration;

use archesai_conformance::fault_proxy::Fault;
use archesai_nats::{Nats, Settings};
use archesai_platform::events::{LoggedEvent, Publisher as _, Subscriber as _};
use async_nats::jetstream::consumer::pull;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::scratch::{LIMIT, Scratch, event, listening, next};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_published_twice_is_kept_once() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        let events = scratch.node().await.events();
        events.publish(&event(1)).await.unwrap();
        events.publish(&event(1)).await.unwrap();
    }
    let stream = scratch.stream().await;
    assert_eq!(stream.cached_info().state.messages, 1);
    scratch.end().await;
}

/// What a durable consumer is handed next, as subject, type and body.
async fn outsider_hears(scratch: &Scratch, filter: &str) -> (String, String, String) {
    let config = pull::Config {
        durable_name: Some("outsider".to_owned()),
        filter_subject: format!("{}.events.{filter}", scratch.settings.prefix),
        ..pull::Config::default()
    };
    let stream = scratch.stream().await;
    let consumer = stream.get_or_create_consumer("outsider", config).await;
    let consumer = consumer.unwrap();
    let messages = consumer.fetch().max_messages(1).expires(LIMIT);
    let mut messages = messages.messages().await.unwrap();
    let message = timeout(LIMIT, messages.next()).await.unwrap();
    let message = message.unwrap().unwrap();
    message.double_ack().await.unwrap();
    let header = |name| {
        message
            .headers
            .as_ref()
            .unwrap()
            .get(name)
            .unwrap()
            .to_string()
    };
    assert!(header("ce-subject").starts_with("run/00000000-"));
    let body = String::from_utf8(message.payload.to_vec()).unwrap();
    let subject = message.subject.strip_prefix(&scratch.settings.prefix);
    (subject.unwrap().to_owned(), header("ce-type"), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_consumer_hears_what_it_asks_for_and_resumes() {
    let scratch = Scratch::new();
    let events = scratch.node().await.events();
    let user = LoggedEvent {
        aggregate_kind: "user".to_owned(),
        kind: "user.registered".to_owned(),
        ..event(1)
    };
    let step = LoggedEvent {
        kind: "step.log.line *".to_owned(),
        ..event(2)
    };
    for event in [&user, &step, &event(3)] {
        events.publish(event).await.unwrap();
    }
    // Each time somebody else connects.
    let (subject, kind, _) = outsider_hears(&scratch, "run.>").await;
    assert_eq!(subject, ".events.run.step.log.line__");
    assert_eq!(kind, step.kind);
    let (subject, kind, body) = outsider_hears(&scratch, "run.>").await;
    assert_eq!(
        (subject.as_str(), kind.as_str()),
        (".events.run.started", "run.started")
    );
    assert_eq!(body, event(3).payload);
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_announced() {
    let scratch = Scratch::new();
    let events = scratch.node().await.events();
    let mut subscription = listening(&events, &events).await;
    let large = LoggedEvent {
        payload: "x".repeat(2 << 20),
        ..event(1)
    };
    for event in [&large, &event(2)] {
        events.publish(event).await.unwrap();
    }
    assert_eq!(next(&mut subscription).await, None);
    assert_eq!(next(&mut subscription).await, Some(event(2)));
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_lost_is_made_again() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.node().await.events(), scratch.node().await.events());
    let mut subscription = listening(&here, &there).await;
    let outsider = scratch.outsider().await;
    outsider.delete_stream(scratch.stream_name()).await.unwrap();
    here.publish(&event(1)).await.unwrap();
    assert_eq!(next(&mut subscription).await, None);
    // The first may have been among what was missed.
    here.publish(&event(2)).await.unwrap();
    let mut heard = next(&mut subscription).await;
    if heard == Some(event(1)) {
        heard = next(&mut subscription).await;
    }
    assert_eq!(heard, Some(event(2)));
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_before_it_was_read_is_missed() {
    let scratch = Scratch::new();
    let here = scratch.node().await.events();
    let (proxy, settings) = scratch.distant().await;
    let there = Nats::connect(settings).await.unwrap().events();
    let mut subscription = listening(&here, &there).await;
    proxy.set(Fault::Refuse).await;
    for sequence in 1..=10 {
        here.publish(&event(sequence)).await.unwrap();
    }
    scratch.stream().await.purge().await.unwrap();
    proxy.set(Fault::None).await;
    assert_eq!(next(&mut subscription).await, None);
    here.publish(&event(11)).await.unwrap();
    assert_eq!(next(&mut subscription).await, Some(event(11)));
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_a_stream_that_is_there_and_leave_the_rest() {
    let mut scratch = Scratch::new();
    scratch
        .node()
        .await
        .events()
        .publish(&event(1))
        .await
        .unwrap();
    let mut by_hand = scratch.stream().await.cached_info().config.clone();
    by_hand.max_bytes = 1 << 30;
    scratch
        .outsider()
        .await
        .update_stream(by_hand)
        .await
        .unwrap();

    scratch.settings = Settings {
        max_age: Duration::from_mins(1),
        ..scratch.settings
    };
    let events = scratch.node().await.events();
    let mut subscription = events.subscribe();
    events.publish(&event(2)).await.unwrap();
    while next(&mut subscription).await != Some(event(3)) {
        events.publish(&event(3)).await.unwrap();
    }
    let config = scratch.stream().await.cached_info().config.clone();
    assert_eq!(config.max_age, Duration::from_mins(1));
    assert_eq!(config.max_bytes, 1 << 30);
    scratch.end().await;
}
