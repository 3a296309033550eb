//! Organizations: the tenants.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Error, OrganizationId, Result, Role, UserId};

/// What an organization pays for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Nothing.
    #[default]
    Free,
}

impl Plan {
    /// The plan's name in the contract and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
        }
    }
}

/// A team, to which everything else belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Identity; never reused.
    pub id: OrganizationId,
    /// What it is called; need not be unique.
    pub name: String,
    /// What it pays for.
    pub plan: Plan,
    /// What it may still spend.
    pub credits: i64,
    /// Whose personal organization it is, if it is one.
    pub personal_of: Option<UserId>,
    /// Counts the changes; what an `ETag` is made from.
    pub version: u64,
    /// When it came into being.
    pub created_at: SystemTime,
    /// When it was last changed.
    pub updated_at: SystemTime,
}

/// An organization as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The member's role in it.
    pub role: Role,
}

/// Checks an organization's name: 1 to 200 characters that are not all space.
pub(crate) fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        return Err(Error::Invalid {
            field: "name",
            reason: "must have 1 to 200 characters, no control characters among them",
        });
    }
    Ok(name.to_owned())
}
