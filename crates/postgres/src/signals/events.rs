//! Published events, told to every node.

use std::sync::Arc;

use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Publisher, Subscriber, Subscription},
};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{EVENTS, Heard, Signals};

/// What can be said at once, in bytes.
const MAX_SAID: usize = 7_999;

/// Tells every node of published events.
#[derive(Clone)]
pub struct EventNotices(pub(super) Signals);

impl Signals {
    /// Published events.
    pub fn events(&self) -> EventNotices {
        EventNotices(self.clone())
    }
}

impl Publisher for EventNotices {
    /// Of an event that is too long for a notice only that there was one is told.
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        let mut text = serde_json::to_string(event).map_err(Error::unavailable)?;
        if text.len() > MAX_SAID {
            text.clear();
        }
        self.0.say(EVENTS, text).await
    }
}

/// What was said of an event; `None` if it was too long to be said.
pub(super) fn read(said: &str) -> Heard {
    serde_json::from_str(said).ok().map(Arc::new)
}

impl Subscriber for EventNotices {
    type Subscription = EventSubscription;

    fn subscribe(&self) -> EventSubscription {
        EventSubscription(self.0.heard.subscribe())
    }
}

/// One listener.
pub struct EventSubscription(broadcast::Receiver<Heard>);

impl Subscription for EventSubscription {
    async fn next(&mut self) -> Option<LoggedEvent> {
        match self.0.recv().await {
            Ok(heard) => heard.map(Arc::unwrap_or_clone),
            Err(RecvError::Lagged(_)) => None,
            // The listener is gone, as the process will be: there is nothing to wait for.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
