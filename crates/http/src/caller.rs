//! Who calls an operation.

use std::net::IpAddr;

use archesai_auth::{ApiKeyId, SessionId, UserId};
use archesai_organizations::{Actor, OrganizationId, Role};

/// Whoever calls a public operation.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Where the request comes from.
    pub address: IpAddr,
    /// The `User-Agent` it names.
    pub user_agent: Option<String>,
}

/// Whoever calls an operation that is not public: authenticated, and authorized for it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The organization the operation works in.
    pub organization_id: OrganizationId,
    /// The user's role there; `None` where the operation asks for no membership.
    pub role: Option<Role>,
    /// The session, where they signed in.
    pub session_id: Option<SessionId>,
    /// The API key, where a program acts for them.
    pub api_key_id: Option<ApiKeyId>,
}

impl Caller {
    /// The caller as a member of the organization the operation works in.
    pub fn actor(&self) -> Actor {
        Actor {
            user_id: archesai_organizations::UserId(self.user_id.0),
            role: self.role.unwrap_or(Role::Viewer),
        }
    }
}
