//! Wake-ups, told to every node.

use std::sync::Arc;

use archesai_platform::wakeups::Wake;
use tokio::sync::Notify;

use super::{Signals, WAKEUPS};

/// Wakes whoever waits by one name, on whichever node. Somebody on this one is woken even if the
/// database does not answer.
#[derive(Clone)]
pub struct WakeupNotices {
    here: Arc<Notify>,
    /// Tells the one who tells the others; many wake-ups while it does are one.
    elsewhere: Arc<Notify>,
}

impl Signals {
    /// Wake-ups by a name that was listened for from the start.
    ///
    /// # Panics
    ///
    /// If nobody listens for that name.
    pub fn wakeups(&self, name: &'static str) -> WakeupNotices {
        let waiting = self.waiting.iter().find(|(known, _)| *known == name);
        let (_, here) = waiting.expect("the name is one of those that are listened for");
        let elsewhere = Arc::new(Notify::new());
        tokio::spawn(tell(self.clone(), name, Arc::downgrade(&elsewhere)));
        WakeupNotices {
            here: Arc::clone(here),
            elsewhere,
        }
    }
}

/// Tells the others whenever there is something to tell, until nobody could say so any more.
async fn tell(signals: Signals, name: &'static str, told: std::sync::Weak<Notify>) {
    while let Some(told) = told.upgrade() {
        told.notified().await;
        drop(told);
        // It is a hint: whoever does not get it looks by themselves.
        if let Err(error) = signals.say(WAKEUPS, name.to_owned()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "waking others");
        }
    }
}

impl Wake for WakeupNotices {
    async fn woken(&self) {
        self.here.notified().await;
    }
}

/// Implements the port of a domain, and that which they share.
macro_rules! wakeups {
    ($($port:path),*) => {$(
        impl $port for WakeupNotices {
            fn wake(&self) {
                self.here.notify_one();
                self.elsewhere.notify_one();
            }
        }
    )*};
}
wakeups!(
    archesai_content::ports::Wakeups,
    archesai_platform::wakeups::Wakeups,
    archesai_workflows::ports::Wakeups
);
