//! The use cases of organizations, over whatever implements its ports.

mod invitations;
mod members;
mod organizations;
mod usage;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Cache, Clock, Event, Ids, Member, OrganizationId, Recorded, Role, UserId,
    ports::{OpaqueTokens, Store},
};

pub use invitations::NewInvitation;

/// The adapters organizations runs on, chosen by whoever composes it.
pub trait Adapters: Send + Sync + 'static {
    /// Keeps what organizations owns.
    type Store: Store;
    /// Remembers memberships, which every request asks for.
    type Members: Cache<(OrganizationId, UserId), Member>;
    /// Makes the tokens of invitations.
    type OpaqueTokens: OpaqueTokens;
}

/// How long things last.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an invitation can be accepted.
    pub invitation_ttl: Duration,
    /// How long an entity may stay in a cache.
    pub cache_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            invitation_ttl: Duration::from_hours(168),
            cache_ttl: Duration::from_mins(5),
        }
    }
}

/// Who acts in an organization, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// Their role in the organization acted in.
    pub role: Role,
}

/// The use cases of organizations.
pub struct Service<A: Adapters> {
    /// Keeps what organizations owns.
    pub store: A::Store,
    /// Remembers memberships.
    pub members: A::Members,
    /// Makes the tokens of invitations.
    pub opaque_tokens: A::OpaqueTokens,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
    /// How long things last.
    pub settings: Settings,
}

impl<A: Adapters> fmt::Debug for Service<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<A: Adapters> Service<A> {
    /// An event of this moment.
    fn event(&self, organization: OrganizationId, actor: UserId, event: Event) -> Recorded {
        Recorded {
            id: self.ids.next(),
            organization_id: Some(organization),
            actor_id: Some(actor),
            occurred_at: self.clock.now(),
            event,
        }
    }
}
