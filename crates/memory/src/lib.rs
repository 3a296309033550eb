//! Caches and rate limits within one process.

mod cache;
mod freshness;
mod limits;

pub use cache::MemoryCache;
pub use freshness::Freshness;
pub use limits::MemoryLimiter;
