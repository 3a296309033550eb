//! What every request and every worker share, whichever domain they serve: the
//! event log with its outbox, idempotency keys, rate limits, sealing, the clock.
//!
//! These are ports between driving adapters (`http`, `worker`) and driven ones
//! (`sqlite`, `memory`, ...). No domain knows them. The crate depends on `std`
//! and `serde` alone.

pub mod chains;
pub mod data_keys;
mod error;
pub mod events;
pub mod gauges;
pub mod idempotency;
pub mod limits;
pub mod projections;
pub mod system;
pub mod vault;
pub mod wakeups;

pub use error::{Error, Result};
