//! The use cases of auth, over whatever implements its ports.

mod api_keys;
mod authenticate;
mod profile;
mod sessions;
mod sign_in;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    ApiKey, ApiKeyId, Cache, Clock, Event, Ids, OrganizationId, Recorded, Session, SessionId, User,
    UserId,
    ports::{AccessTokens, Memberships, OpaqueTokens, Passwords, Store, TokenDigest},
};

pub use api_keys::is_api_key;
pub use profile::{PasswordChange, UserChanges};
pub use sign_in::{Login, Registration, SignedIn};

/// The adapters auth runs on, chosen by whoever composes it.
pub trait Adapters: Send + Sync + 'static {
    /// Keeps what auth owns.
    type Store: Store;
    /// Remembers sessions, which every request asks for.
    type Sessions: Cache<SessionId, Session>;
    /// Remembers API keys with their digests.
    type ApiKeys: Cache<ApiKeyId, (ApiKey, TokenDigest)>;
    /// Remembers users.
    type Users: Cache<UserId, User>;
    /// Hashes passwords.
    type Passwords: Passwords;
    /// Signs access tokens.
    type AccessTokens: AccessTokens;
    /// Makes refresh tokens and API keys.
    type OpaqueTokens: OpaqueTokens;
    /// Knows who belongs where.
    type Memberships: Memberships;
}

/// How long things last and what tokens are called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
    /// How long an access token is good.
    pub access_token_ttl: Duration,
    /// How long a session lives without being refreshed.
    pub session_ttl: Duration,
    /// How long a session lives at most, however often it is refreshed.
    pub session_max_ttl: Duration,
    /// How long an entity may stay in a cache.
    pub cache_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "archesai".to_owned(),
            audience: "archesai".to_owned(),
            access_token_ttl: Duration::from_mins(15),
            session_ttl: Duration::from_hours(720),
            session_max_ttl: Duration::from_hours(8_760),
            cache_ttl: Duration::from_mins(5),
        }
    }
}

/// The use cases of auth.
pub struct Service<A: Adapters> {
    /// Keeps what auth owns.
    pub store: A::Store,
    /// Remembers sessions.
    pub sessions: A::Sessions,
    /// Remembers API keys.
    pub api_keys: A::ApiKeys,
    /// Remembers users.
    pub users: A::Users,
    /// Hashes passwords.
    pub passwords: A::Passwords,
    /// Signs access tokens.
    pub access_tokens: A::AccessTokens,
    /// Makes opaque tokens.
    pub opaque_tokens: A::OpaqueTokens,
    /// Knows who belongs where.
    pub memberships: A::Memberships,
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
    fn event(
        &self,
        organization_id: Option<OrganizationId>,
        actor: impl Into<Option<UserId>>,
        event: Event,
    ) -> Recorded {
        Recorded {
            id: self.ids.next(),
            organization_id,
            actor_id: actor.into(),
            occurred_at: self.clock.now(),
            event,
        }
    }
}
