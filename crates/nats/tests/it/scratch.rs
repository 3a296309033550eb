//! A corner of the server that a test has for itself.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use archesai_bus::EventSubscription;
use archesai_conformance::{fault_proxy::FaultProxy, servers::told};
use archesai_nats::{Nats, NatsEvents, Settings};
use archesai_platform::events::{LoggedEvent, Publisher as _, Subscriber as _, Subscription as _};
use async_nats::jetstream::{self, stream::Stream};
use tokio::time::{Interval, interval, timeout};

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Subjects and a stream under a name that nobody else has.
pub(crate) struct Scratch {
    pub(crate) settings: Settings,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self {
            settings: Settings {
                prefix: format!("test-{random:016x}"),
                ..Settings::new(told("ARCHESAI_TEST_NATS_URL"))
            },
        }
    }

    pub(crate) fn server(&self) -> SocketAddr {
        let url = self.settings.urls.strip_prefix("nats://").unwrap();
        url.parse().unwrap()
    }

    /// A node of the system.
    pub(crate) async fn node(&self) -> Nats {
        Nats::connect(self.settings.clone()).await.unwrap()
    }

    /// What it takes to reach the server by way of a proxy.
    pub(crate) async fn distant(&self) -> (FaultProxy, Settings) {
        let proxy = FaultProxy::start(self.server()).await;
        let settings = Settings {
            urls: format!("nats://{}", proxy.address()),
            ..self.settings.clone()
        };
        (proxy, settings)
    }

    /// What somebody sees who is no part of the system.
    pub(crate) async fn outsider(&self) -> jetstream::Context {
        let client = async_nats::connect(&self.settings.urls).await.unwrap();
        jetstream::new(client)
    }

    pub(crate) async fn stream(&self) -> Stream {
        let outsider = self.outsider().await;
        outsider.get_stream(self.stream_name()).await.unwrap()
    }

    pub(crate) fn stream_name(&self) -> String {
        format!("{}-events", self.settings.prefix)
    }

    /// Leaves nothing behind.
    pub(crate) async fn end(self) {
        let outsider = self.outsider().await;
        outsider.delete_stream(self.stream_name()).await.unwrap();
    }
}

pub(crate) fn event(sequence: i64) -> LoggedEvent {
    LoggedEvent {
        sequence,
        id: u128::from(sequence.cast_unsigned()),
        organization_id: Some(1),
        actor_id: None,
        aggregate_kind: "run".to_owned(),
        aggregate_id: u128::from(sequence.unsigned_abs() % 7),
        kind: "run.started".to_owned(),
        payload: format!(r#"{{"type":"run.started","at":{sequence}}}"#),
        occurred_at: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
    }
}

/// Publishes as the relay does: until it succeeds.
pub(crate) async fn publish(events: &NatsEvents, event: &LoggedEvent) {
    let mut tries = polls();
    while events.publish(event).await.is_err() {
        tries.tick().await;
    }
}

/// A listener that has heard something already. What others of a test hear of it has a sequence below
/// zero, and [`next`] passes over it.
pub(crate) async fn listening(publisher: &NatsEvents, events: &NatsEvents) -> EventSubscription {
    static USED: AtomicI64 = AtomicI64::new(0);
    let mut subscription = events.subscribe();
    loop {
        let event = event(USED.fetch_sub(1, Ordering::Relaxed) - 1);
        publish(publisher, &event).await;
        while let Some(heard) = in_time(&mut subscription).await {
            if heard == event {
                return subscription;
            }
        }
    }
}

/// What is heard next.
pub(crate) async fn next(subscription: &mut EventSubscription) -> Option<LoggedEvent> {
    loop {
        match in_time(subscription).await {
            Some(event) if event.sequence < 0 => {}
            next => return next,
        }
    }
}

async fn in_time(subscription: &mut EventSubscription) -> Option<LoggedEvent> {
    let next = timeout(2 * LIMIT, subscription.next()).await;
    next.expect("something is heard in time")
}

/// How often to look whether something has happened.
pub(crate) fn polls() -> Interval {
    interval(Duration::from_millis(10))
}
