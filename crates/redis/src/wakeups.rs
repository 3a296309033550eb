//! Wake-ups between all nodes.
//!
//! Who waits in this process is woken at once and without Redis; other nodes are told by a task,
//! one message at a time, which goes for all wake-ups of meanwhile.

use std::sync::Arc;

use archesai_bus::{Notes, Wakeups};
use deadpool_redis::redis::Cmd;

use crate::{Redis, streams::Streams};

/// Wakes whoever waits for work of this name, on any node.
pub(crate) fn start(redis: Redis, name: &'static str) -> Wakeups {
    let notes = redis.listener().notes(name);
    let wake = Streams::new(redis.settings()).wake(name);
    let telling = tell(redis, wake, Arc::clone(&notes));
    Wakeups::telling(notes, telling)
}

/// Tells others, as soon as they can be told.
async fn tell(redis: Redis, wake: Cmd, notes: Arc<Notes>) {
    loop {
        notes.to_tell().await;
        while redis.run::<String>(&wake).await.is_err() {
            tokio::time::sleep(crate::tend::PAUSE).await;
            redis.circuit().wait(true).await;
        }
    }
}
