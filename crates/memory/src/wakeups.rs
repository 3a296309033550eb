//! Wake-ups within the process.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes whoever waits for work.
#[derive(Clone, Debug, Default)]
pub struct MemoryWakeups(Arc<Notify>);

impl MemoryWakeups {
    /// Says that there is work.
    pub fn notify(&self) {
        self.0.notify_one();
    }

    /// Waits until there is work. A wake-up that came before is not lost.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

impl archesai_workflows::ports::Wakeups for MemoryWakeups {
    fn wake(&self) {
        self.notify();
    }
}

impl archesai_content::ports::Wakeups for MemoryWakeups {
    fn wake(&self) {
        self.notify();
    }
}
