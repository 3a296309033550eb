//! The operations of the contract over the domains' services.

mod auth;
mod content;
mod organizations;
mod workflows;

pub use auth::Auth;
pub use content::Content;
pub use organizations::Organizations;
pub use workflows::Workflows;

use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// A time as the contract has it (RFC 3339).
fn time(time: SystemTime) -> DateTime<Utc> {
    time.into()
}
