//! The operations of the contract over the domains' services.

mod auth;
mod organizations;

pub use auth::Auth;
pub use organizations::Organizations;

use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// A time as the contract has it (RFC 3339).
fn time(time: SystemTime) -> DateTime<Utc> {
    time.into()
}
