//! Published events, told to every node.

use archesai_bus::EventSubscription;
use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Publisher, Subscriber},
};

use super::{EVENTS, Signals};

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
pub(super) fn read(said: &str) -> Option<LoggedEvent> {
    serde_json::from_str(said).ok()
}

impl Subscriber for EventNotices {
    type Subscription = EventSubscription;

    fn subscribe(&self) -> EventSubscription {
        self.0.events.subscribe()
    }
}
