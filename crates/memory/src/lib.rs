//! Caches, events, wake-ups and rate limits within one process.

mod cache;
mod events;
mod freshness;
mod limits;
mod wakeups;

pub use cache::MemoryCache;
pub use events::{EventBus, EventSubscription};
pub use freshness::Freshness;
pub use limits::MemoryLimiter;
pub use wakeups::MemoryWakeups;
