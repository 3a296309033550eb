//! Published events, between all nodes.
//!
//! Whoever comes back after an outage goes on where it was. Redis may lose what it had
//! acknowledged, when it crashes or fails over: what was read before is then gone, and subscribers
//! hear that they missed something; an event that nobody had read yet is lost to them.

use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Publisher, Subscriber, Subscription},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{Redis, streams::Streams};

/// Hands every published event to every listener of every node.
#[derive(Clone)]
pub struct RedisEvents {
    redis: Redis,
    streams: Streams,
}

impl RedisEvents {
    pub(crate) fn new(redis: Redis) -> Self {
        let streams = Streams::new(redis.settings());
        Self { redis, streams }
    }
}

impl Publisher for RedisEvents {
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        let event = serde_json::to_string(event).map_err(Error::unavailable)?;
        let publish = self.streams.publish(&event);
        let published = self.redis.run(&publish).await;
        published.map_err(Error::unavailable).map(|_: String| ())
    }
}

impl Subscriber for RedisEvents {
    type Subscription = EventSubscription;

    /// Panics outside a tokio runtime.
    fn subscribe(&self) -> EventSubscription {
        EventSubscription {
            events: self.redis.listener().events(),
            _redis: self.redis.clone(),
        }
    }
}

/// One listener.
pub struct EventSubscription {
    events: broadcast::Receiver<Option<LoggedEvent>>,
    /// What the events come from.
    _redis: Redis,
}

impl Subscription for EventSubscription {
    async fn next(&mut self) -> Option<LoggedEvent> {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => None,
            // The listener is gone, as the process will be: there is nothing to wait for.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
