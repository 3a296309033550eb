//! Wake-ups within the process, and what is left to tell others of.

use std::sync::Arc;

use archesai_platform::wakeups::{Wake, Wakeups as WakeupsPort};
use tokio::sync::Notify;

use crate::Task;

/// What is still to be done about wake-ups of one kind. Many of them until then are one.
#[derive(Debug, Default)]
pub struct Notes {
    here: Notify,
    elsewhere: Notify,
}

impl Notes {
    /// Wakes whoever waits in this process: another node said so.
    pub fn hear(&self) {
        self.here.notify_one();
    }

    /// Waits until the other nodes are to be told.
    pub async fn to_tell(&self) {
        self.elsewhere.notified().await;
    }
}

/// Wakes whoever waits for work of one kind: here at once, whatever becomes of the others. Clones
/// are the same.
#[derive(Clone, Debug, Default)]
pub struct Wakeups {
    notes: Arc<Notes>,
    _telling: Option<Arc<Task>>,
}

impl Wakeups {
    /// Wake-ups that `telling` tells other nodes of, until the last clone is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn telling(notes: Arc<Notes>, telling: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            notes,
            _telling: Some(Arc::new(Task::spawn(telling))),
        }
    }
}

impl Wake for Wakeups {
    async fn woken(&self) {
        self.notes.here.notified().await;
    }
}

impl WakeupsPort for Wakeups {
    fn wake(&self) {
        self.notes.here.notify_one();
        self.notes.elsewhere.notify_one();
    }
}
