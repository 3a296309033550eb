//! Wake-ups within the process.

use std::sync::Arc;

use archesai_platform::wakeups::Wake;
use tokio::sync::Notify;

/// Wakes whoever waits for work.
#[derive(Clone, Debug, Default)]
pub struct MemoryWakeups(Arc<Notify>);

impl Wake for MemoryWakeups {
    async fn woken(&self) {
        self.0.notified().await;
    }
}

impl archesai_workflows::ports::Wakeups for MemoryWakeups {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl archesai_content::ports::Wakeups for MemoryWakeups {
    fn wake(&self) {
        self.0.notify_one();
    }
}
