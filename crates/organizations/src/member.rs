//! Members.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{MemberId, OrganizationId, Role, UserId};

/// That a user belongs to an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Identity; never reused.
    pub id: MemberId,
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub organization_id: OrganizationId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub created_at: SystemTime,
}
