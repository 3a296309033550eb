//! How nodes hear of each other: what the configuration names, or else whatever is there.

use std::sync::Arc;

use archesai_memory::{EventBus, MemoryWakeups};
use archesai_postgres::{EventNotices, WakeupNotices};

use crate::{
    compose::database::Database,
    config::Config,
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
        }
    };
}

impl Bus {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// If a setting is not usable. That something does not answer is none: it is waited for.
    pub(crate) fn open(_config: &Config, database: &Database) -> anyhow::Result<Self> {
        let Database::Postgres(database) = database else {
            let lines = Lines::new(EventBus::default(), |_| MemoryWakeups::default());
            return Ok(Self::Memory(lines));
        };
        let signals = database.listen(&[STEPS, INDEXING, EVENTS])?;
        let lines = Lines::new(signals.events(), |name| signals.wakeups(name));
        Ok(Self::Postgres(lines))
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
