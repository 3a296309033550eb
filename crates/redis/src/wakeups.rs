//! Wake-ups between all nodes.
//!
//! Who waits in this process is woken at once and without Redis; other nodes are told by a task,
//! one message at a time, which goes for all wake-ups of meanwhile.

use std::sync::Arc;

use archesai_platform::wakeups::Wake;
use deadpool_redis::redis::Cmd;
use tokio::sync::Notify;

use crate::{Redis, handle::Task, streams::Streams};

/// Wakes whoever waits for work, on any node.
#[derive(Clone)]
pub struct RedisWakeups {
    /// Who waits here.
    here: Arc<Notify>,
    /// What others have not been told yet.
    elsewhere: Arc<Notify>,
    _telling: Arc<Task>,
}

impl RedisWakeups {
    pub(crate) fn new(redis: Redis, name: &'static str) -> Self {
        let here = redis.listener().waiting(name);
        let elsewhere = Arc::new(Notify::new());
        let wake = Streams::new(redis.settings()).wake(name);
        let telling = tokio::spawn(tell(redis, wake, Arc::clone(&elsewhere)));
        Self {
            here,
            elsewhere,
            _telling: Arc::new(Task(telling)),
        }
    }
}

/// Tells others, as soon as they can be told.
async fn tell(redis: Redis, wake: Cmd, elsewhere: Arc<Notify>) {
    loop {
        elsewhere.notified().await;
        while redis.run::<String>(&wake).await.is_err() {
            tokio::time::sleep(crate::tend::PAUSE).await;
            redis.circuit().wait(true).await;
        }
    }
}

impl Wake for RedisWakeups {
    async fn woken(&self) {
        self.here.notified().await;
    }
}

/// Implements the port of a domain, and that which they share.
macro_rules! wakeups {
    ($($port:path),*) => {$(
        impl $port for RedisWakeups {
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
