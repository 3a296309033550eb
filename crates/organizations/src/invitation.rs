//! Invitations.

use std::time::SystemTime;

use crate::{InvitationId, InvitationStatus, OrganizationId, Role, UserId};

/// An offer to join. Whoever holds its token and owns the address may take it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Identity; never reused.
    pub id: InvitationId,
    /// Where to.
    pub organization_id: OrganizationId,
    /// For whom, in lower case.
    pub email: String,
    /// As what.
    pub role: Role,
    /// What became of it.
    pub status: InvitationStatus,
    /// Who invited.
    pub invited_by: UserId,
    /// When it was made.
    pub created_at: SystemTime,
    /// Until when it can be accepted.
    pub expires_at: SystemTime,
}

impl Invitation {
    /// Whether it can still be accepted.
    pub fn is_open(&self, now: SystemTime) -> bool {
        self.status == InvitationStatus::Pending && now < self.expires_at
    }
}
