//! The clock and identifiers, as whatever serves every domain needs them.

use std::time::SystemTime;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> SystemTime;
}

/// Makes identifiers that never repeat and sort by the time they were made
/// (UUID version 7, RFC 9562).
pub trait Ids: Send + Sync + 'static {
    /// The next identifier.
    fn next(&self) -> u128;
}
