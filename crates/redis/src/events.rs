//! Published events, between all nodes.
//!
//! Whoever comes back after an outage goes on where it was. Redis may lose what it had
//! acknowledged, when it crashes or fails over: what was read before is then gone, and subscribers
//! hear that they missed something; an event that nobody had read yet is lost to them.

use archesai_bus::EventSubscription;
use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Publisher, Subscriber},
};

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
        self.redis.listener().events().subscribe()
    }
}
