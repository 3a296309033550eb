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

/// Implements the port of a domain, and that which they share.
macro_rules! wakeups {
    ($($port:path),*) => {$(
        impl $port for MemoryWakeups {
            fn wake(&self) {
                self.0.notify_one();
            }
        }
    )*};
}
wakeups!(
    archesai_content::ports::Wakeups,
    archesai_platform::wakeups::Wakeups,
    archesai_workflows::ports::Wakeups
);
