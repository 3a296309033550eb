//! What every request passes: who calls, how often, and whether the request was
//! made before. Behind pointers, since handlers must not care which adapters
//! and services answer.

use std::sync::Arc;

use archesai_auth::{Adapters as AuthAdapters, Identity};
use archesai_organizations::{Adapters as OrganizationsAdapters, OrganizationId, Role, UserId};
use archesai_platform::{
    Result as PlatformResult,
    idempotency::{Claim, IdempotencyKeys, RequestKey},
    limits::{Decision, Quota, RateLimiter},
    vault::Vault,
};
use async_trait::async_trait;

use crate::{Problem, Settings};

/// Tells who a request comes from and what they are.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Who a bearer token speaks for.
    async fn identify(&self, token: &str) -> Result<Identity, Problem>;

    /// A user's role in an organization; `None` if they do not belong to it.
    async fn role(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Role>, Problem>;
}

#[async_trait]
impl<A: AuthAdapters, O: OrganizationsAdapters> Identities
    for (
        Arc<archesai_auth::Service<A>>,
        Arc<archesai_organizations::Service<O>>,
    )
{
    async fn identify(&self, token: &str) -> Result<Identity, Problem> {
        Ok(self.0.authenticate(token).await?)
    }

    async fn role(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Role>, Problem> {
        let member = self.1.membership(organization, user).await?;
        Ok(member.map(|member| member.role))
    }
}

/// [`RateLimiter`] behind a pointer.
#[async_trait]
pub(crate) trait DynRateLimiter: Send + Sync {
    async fn check(&self, quota: &Quota, subject: &str) -> PlatformResult<Decision>;
}

#[async_trait]
impl<T: RateLimiter> DynRateLimiter for T {
    async fn check(&self, quota: &Quota, subject: &str) -> PlatformResult<Decision> {
        RateLimiter::check(self, quota, subject).await
    }
}

/// [`IdempotencyKeys`] behind a pointer.
#[async_trait]
pub(crate) trait DynIdempotencyKeys: Send + Sync {
    async fn claim(&self, key: &RequestKey, fingerprint: &[u8; 32]) -> PlatformResult<Claim>;
    async fn finish(&self, key: &RequestKey, answer: &[u8]) -> PlatformResult<()>;
    async fn release(&self, key: &RequestKey) -> PlatformResult<()>;
}

/// How long a request may take before another with its key may take over.
const LEASE: std::time::Duration = std::time::Duration::from_mins(1);

struct Keys<T>(T, Arc<dyn archesai_auth::Clock>);

#[async_trait]
impl<T: IdempotencyKeys> DynIdempotencyKeys for Keys<T> {
    async fn claim(&self, key: &RequestKey, fingerprint: &[u8; 32]) -> PlatformResult<Claim> {
        self.0.claim(key, fingerprint, self.1.now(), LEASE).await
    }

    async fn finish(&self, key: &RequestKey, answer: &[u8]) -> PlatformResult<()> {
        self.0.finish(key, answer).await
    }

    async fn release(&self, key: &RequestKey) -> PlatformResult<()> {
        self.0.release(key).await
    }
}

/// Whether what the server depends on can be reached.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Each dependency by name, and what is wrong with it if anything is.
    async fn check(&self) -> Vec<(&'static str, Option<String>)>;
}

/// What every request passes.
pub struct Gate {
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) limiter: Arc<dyn DynRateLimiter>,
    pub(crate) idempotency: Arc<dyn DynIdempotencyKeys>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) ids: Arc<dyn archesai_auth::Ids>,
    pub(crate) settings: Settings,
}

/// What a [`Gate`] is made of.
pub struct GateParts<L, K> {
    /// Tells who calls.
    pub identities: Arc<dyn Identities>,
    /// Counts requests.
    pub limiter: L,
    /// Remembers idempotent requests.
    pub idempotency: K,
    /// Seals their answers.
    pub vault: Arc<dyn Vault>,
    /// Tells the time.
    pub clock: Arc<dyn archesai_auth::Clock>,
    /// Makes request ids.
    pub ids: Arc<dyn archesai_auth::Ids>,
    /// Limits and time limits.
    pub settings: Settings,
}

impl Gate {
    /// Puts a gate together.
    pub fn new<L: RateLimiter, K: IdempotencyKeys>(parts: GateParts<L, K>) -> Self {
        Self {
            identities: parts.identities,
            limiter: Arc::new(parts.limiter),
            idempotency: Arc::new(Keys(parts.idempotency, parts.clock)),
            vault: parts.vault,

            ids: parts.ids,
            settings: parts.settings,
        }
    }
}
