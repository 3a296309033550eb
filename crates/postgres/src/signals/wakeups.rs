//! Wake-ups, told to every node.

use std::sync::Arc;

use archesai_bus::{Notes, Wakeups};

use super::{Signals, WAKEUPS};

impl Signals {
    /// Wakes whoever waits by a name that was listened for from the start, on whichever node. Somebody
    /// on this one is woken even if the database does not answer.
    ///
    /// # Panics
    ///
    /// If nobody listens for that name.
    pub fn wakeups(&self, name: &'static str) -> Wakeups {
        let waiting = self.waiting.iter().find(|(known, _)| *known == name);
        let (_, notes) = waiting.expect("the name is one of those that are listened for");
        let telling = tell(self.clone(), name, Arc::clone(notes));
        Wakeups::telling(Arc::clone(notes), telling)
    }
}

/// Tells the others whenever there is something to tell.
async fn tell(signals: Signals, name: &'static str, notes: Arc<Notes>) {
    loop {
        notes.to_tell().await;
        // It is a hint: whoever does not get it looks by themselves.
        if let Err(error) = signals.say(WAKEUPS, name.to_owned()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "waking others");
        }
    }
}
