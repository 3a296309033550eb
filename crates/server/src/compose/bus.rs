//! How nodes hear of each other: what the configuration names, or else whatever is there.

use std::sync::Arc;

use anyhow::Context;
use archesai_memory::{EventBus, MemoryWakeups};
use archesai_nats::{Nats, NatsEvents, NatsWakeups};
use archesai_postgres::{EventNotices, WakeupNotices};
use archesai_redis::{Redis, RedisEvents, RedisWakeups};

use crate::{
    compose::database::Database,
    config::{Carrier, Config},
    erased::platform::{AnyPublisher, AnySubscriber, AnyWake},
};

/// Steps are ready.
const STEPS: &str = "steps";

/// Artifacts wait to be indexed.
const INDEXING: &str = "indexing";

/// The event log has grown.
const EVENTS: &str = "events";

/// What carries events and wake-ups.
pub(crate) enum Bus {
    /// This process alone.
    Memory(Lines<EventBus, MemoryWakeups>),
    /// The database.
    Postgres(Lines<EventNotices, WakeupNotices>),
    /// Redis.
    Redis(Lines<RedisEvents, RedisWakeups>),
    /// NATS with `JetStream`.
    Nats(Lines<NatsEvents, NatsWakeups>),
}

/// What goes over a bus.
pub(crate) struct Lines<E, W> {
    events: E,
    steps: W,
    indexing: W,
    appended: W,
}

impl<E, W> Lines<E, W> {
    fn new(events: E, wakeups: impl Fn(&'static str) -> W) -> Self {
        Self {
            events,
            steps: wakeups(STEPS),
            indexing: wakeups(INDEXING),
            appended: wakeups(EVENTS),
        }
    }
}

/// The same of every bus.
macro_rules! of {
    ($self:expr, $lines:ident => $value:expr) => {
        match $self {
            Self::Memory($lines) => $value,
            Self::Postgres($lines) => $value,
            Self::Redis($lines) => $value,
            Self::Nats($lines) => $value,
        }
    };
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
        let lines = Lines::new(EventBus::default(), |_| MemoryWakeups::default());
        Self::Memory(lines)
    }

    fn postgres(database: &Database) -> anyhow::Result<Self> {
        let Database::Postgres(database) = database else {
            anyhow::bail!("events = postgres needs database_url");
        };
        let signals = database.listen(&[STEPS, INDEXING, EVENTS])?;
        let lines = Lines::new(signals.events(), |name| signals.wakeups(name));
        Ok(Self::Postgres(lines))
    }

    fn redis(redis: Option<&Redis>) -> anyhow::Result<Self> {
        let redis = redis.context("events = redis needs redis_url")?;
        let lines = Lines::new(redis.events(), |name| redis.wakeups(name));
        Ok(Self::Redis(lines))
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
        let lines = Lines::new(nats.events(), |name| nats.wakeups(name));
        Ok(Self::Nats(lines))
    }

    pub(crate) fn publisher(&self) -> AnyPublisher {
        of!(self, lines => AnyPublisher::new(lines.events.clone()))
    }

    pub(crate) fn subscriber(&self) -> AnySubscriber {
        of!(self, lines => AnySubscriber::new(lines.events.clone()))
    }

    /// What wakes those who run steps.
    pub(crate) fn wake_steps(&self) -> Arc<dyn archesai_workflows::ports::Wakeups> {
        of!(self, lines => Arc::new(lines.steps.clone()))
    }

    /// What they wait for.
    pub(crate) fn steps_wake(&self) -> AnyWake {
        of!(self, lines => AnyWake::new(lines.steps.clone()))
    }

    /// What wakes those who index artifacts.
    pub(crate) fn wake_indexing(&self) -> Arc<dyn archesai_content::ports::Wakeups> {
        of!(self, lines => Arc::new(lines.indexing.clone()))
    }

    /// What they wait for.
    pub(crate) fn indexing_wake(&self) -> AnyWake {
        of!(self, lines => AnyWake::new(lines.indexing.clone()))
    }

    /// What wakes whoever publishes the event log.
    pub(crate) fn wake_relay(&self) -> Arc<dyn archesai_platform::wakeups::Wakeups> {
        of!(self, lines => Arc::new(lines.appended.clone()))
    }

    /// What they wait for.
    pub(crate) fn relay_wake(&self) -> AnyWake {
        of!(self, lines => AnyWake::new(lines.appended.clone()))
    }
}
