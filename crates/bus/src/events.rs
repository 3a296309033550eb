//! Published events within the process.

use std::sync::Arc;

use archesai_platform::{
    Result,
    events::{LoggedEvent, Publisher, Subscriber, Subscription},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// How many events a slow listener may lag behind before it misses some.
pub const BACKLOG: usize = 4096;

/// Hands every event to every listener of this process. Clones are the same.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Option<Arc<LoggedEvent>>>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Events {
    /// Tells every listener of an event, or by `None` that they missed some.
    pub fn tell(&self, event: Option<LoggedEvent>) {
        // That nobody listens is no error.
        _ = self.0.send(event.map(Arc::new));
    }
}

impl Publisher for Events {
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        self.tell(Some(event.clone()));
        Ok(())
    }
}

impl Subscriber for Events {
    type Subscription = EventSubscription;

    fn subscribe(&self) -> EventSubscription {
        EventSubscription(self.0.subscribe())
    }
}

/// One listener.
#[derive(Debug)]
pub struct EventSubscription(broadcast::Receiver<Option<Arc<LoggedEvent>>>);

impl Subscription for EventSubscription {
    async fn next(&mut self) -> Option<LoggedEvent> {
        match self.0.recv().await {
            Ok(event) => event.map(Arc::unwrap_or_clone),
            Err(RecvError::Lagged(_)) => None,
            // What publishes is gone, as the process will be: there is nothing to wait for.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
