//! The operations of the contract over the domains' services.

mod auth;
mod content;
mod organizations;
mod system;
mod workflows;

pub use auth::Auth;
pub use content::Content;
pub use organizations::Organizations;
pub use system::System;
pub use workflows::Workflows;

use std::{fmt, time::SystemTime};

use chrono::{DateTime, Utc};

use crate::{Problem, generated::common::CreationOrder};

/// 409 for a request that made something with a token, and whose answer was lost.
fn token_lost(remedy: impl fmt::Display) -> Problem {
    Problem::conflict(format_args!(
        "an earlier request with this Idempotency-Key was carried out, but its answer was lost, and \
         the token in it is shown only once; {remedy}, and take a new key for a new request"
    ))
}

/// The order of a list that is sorted by when things came into being: the newest
/// come first where nobody says.
fn order(asked: Option<CreationOrder>) -> &'static str {
    asked.unwrap_or(CreationOrder::CreatedAtDescending).as_str()
}

/// A time as the contract has it (RFC 3339).
fn time(time: SystemTime) -> DateTime<Utc> {
    time.into()
}
