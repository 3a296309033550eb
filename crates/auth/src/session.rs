//! Sessions: what stays between signing in and signing out.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{OrganizationId, SessionId, UserId};

/// A signed-in device. It is also the family of the refresh tokens that it was
/// given one after another: only the newest is good, and use of an older one
/// ends the session (RFC 9700, section 4.14.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Identity; never reused.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where its tokens work.
    pub active_organization_id: OrganizationId,
    /// The `User-Agent` it was opened with, cut to 300 characters.
    pub user_agent: Option<String>,
    /// When it was opened.
    pub created_at: SystemTime,
    /// When it last showed a refresh token.
    pub refreshed_at: SystemTime,
    /// When it ends unless it is refreshed before, and it still may be.
    pub expires_at: SystemTime,
}
