//! How nodes hear of each other: what the configuration names, or else whatever is there.

use std::sync::Arc;

use anyhow::Context;
use archesai_bus::{Events, Wakeups};
use archesai_nats::Nats;
use archesai_platform::events::{Publisher, Subscriber};
use archesai_redis::Redis;

use crate::{
    compose::database::Database,
    config::{Carrier, Config},
    erased::platform::{AnyPublisher, AnySubscriber},
};

/// Steps are ready.
const STEPS: &str = "steps";

/// Artifacts wait to be indexed.
const INDEXING: &str = "indexing";

/// The event log has grown.
const EVENTS: &str = "events";

/// What carries events and wake-ups.
pub(crate) struct Bus {
    pub(crate) publisher: Arc<AnyPublisher>,
    pub(crate) subscriber: AnySubscriber,
    /// For those who run steps.
    pub(crate) steps: Wakeups,
    /// For those who index artifacts.
    pub(crate) indexing: Wakeups,
    /// For whoever publishes the event log.
    pub(crate) appended: Wakeups,
}

impl Bus {
    /// Begins to listen, to the best of what there is where the configuration does not say to what.
    ///
    /// # Errors
    ///
    /// If a setting is not usable. That something does not answer is none: it is waited for.
    pub(crate) async fn open(
        config: &Config,
        roots: Option<&String>,
        database: &Database,
        redis: Option<&Redis>,
    ) -> anyhow::Result<Self> {
        match config.events {
            Carrier::Nats => Self::nats(config, roots).await,
            Carrier::Auto if config.nats_url.is_some() => Self::nats(config, roots).await,
            Carrier::Redis => Self::redis(redis),
            Carrier::Auto if redis.is_some() => Self::redis(redis),
            Carrier::Postgres => Self::postgres(database),
            Carrier::Auto if config.database_url.is_some() => Self::postgres(database),
            Carrier::Memory | Carrier::Auto => Ok(Self::memory()),
        }
    }

    fn memory() -> Self {
        Self::of(Events::default(), |_| Wakeups::default())
    }

    fn postgres(database: &Database) -> anyhow::Result<Self> {
        let Database::Postgres(database) = database else {
            anyhow::bail!("events = postgres needs database_url");
        };
        let signals = database.listen(&[STEPS, INDEXING, EVENTS])?;
        Ok(Self::of(signals.events(), |name| signals.wakeups(name)))
    }

    fn redis(redis: Option<&Redis>) -> anyhow::Result<Self> {
        let redis = redis.context("events = redis needs redis_url")?;
        Ok(Self::of(redis.events(), |name| redis.wakeups(name)))
    }

    async fn nats(config: &Config, roots: Option<&String>) -> anyhow::Result<Self> {
        let url = config.nats_url.as_ref();
        let settings = archesai_nats::Settings {
            prefix: config.namespace.clone(),
            root_certificates: roots.cloned(),
            ..archesai_nats::Settings::new(url.context("events = nats needs nats_url")?)
        };
        let nats = Nats::connect(settings).await;
        let nats = nats.context("nats_url is not usable")?;
        Ok(Self::of(nats.events(), |name| nats.wakeups(name)))
    }

    fn of<E>(events: E, wakeups: impl Fn(&'static str) -> Wakeups) -> Self
    where
        E: Publisher + Subscriber + Clone,
    {
        Self {
            publisher: Arc::new(AnyPublisher::new(events.clone())),
            subscriber: AnySubscriber::new(events),
            steps: wakeups(STEPS),
            indexing: wakeups(INDEXING),
            appended: wakeups(EVENTS),
        }
    }
}
