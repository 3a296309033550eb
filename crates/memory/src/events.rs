//! Published events within the process.

use archesai_platform::{
    Result,
    events::{LoggedEvent, Publisher, Subscriber, Subscription},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// How many events a slow listener may lag behind before it misses some.
const BACKLOG: usize = 4096;

/// Hands every published event to every listener of this process.
#[derive(Clone, Debug)]
pub struct EventBus(broadcast::Sender<LoggedEvent>);

impl Default for EventBus {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Publisher for EventBus {
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        // That nobody listens is no error.
        _ = self.0.send(event.clone());
        Ok(())
    }
}

impl Subscriber for EventBus {
    type Subscription = EventSubscription;

    fn subscribe(&self) -> EventSubscription {
        EventSubscription(self.0.subscribe())
    }
}

/// One listener.
#[derive(Debug)]
pub struct EventSubscription(broadcast::Receiver<LoggedEvent>);

impl Subscription for EventSubscription {
    async fn next(&mut self) -> Option<LoggedEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(_)) => None,
            // The bus is gone, as the process will be: there is nothing to wait for.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
