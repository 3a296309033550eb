//! Users.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Email, Error, Result, UserId};

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Identity; never reused.
    pub id: UserId,
    /// Unique among users.
    pub email: Email,
    /// What to call them.
    pub name: String,
    /// Counts the changes; what an `ETag` is made from.
    pub version: u64,
    /// When they signed up.
    pub created_at: SystemTime,
    /// When they were last changed.
    pub updated_at: SystemTime,
}

/// Checks what somebody wants to be called: 1 to 200 characters that are not all space.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        return Err(Error::Invalid {
            field,
            reason: "must have 1 to 200 characters, no control characters among them",
        });
    }
    Ok(name.to_owned())
}

/// Checks a new password: length is what counts (NIST SP 800-63B, section 3.1.1.2).
pub(crate) fn check_password(field: &'static str, password: &str) -> Result<()> {
    if (8..=1024).contains(&password.chars().count()) {
        return Ok(());
    }
    Err(Error::Invalid {
        field,
        reason: "must have 8 to 1024 characters",
    })
}
