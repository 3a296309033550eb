//! What every request passes: who calls, how often, and whether the request was
//! made before. Behind pointers, since handlers must not care which adapters
//! and services answer.

use std::sync::Arc;

use archesai_auth::{Adapters as AuthAdapters, Identity};
use archesai_organizations::{Adapters as OrganizationsAdapters, OrganizationId, Role, UserId};
use archesai_platform::{
    system::{Clock, Ids},
    vault::Vault,
};
use async_trait::async_trait;

use crate::{
    Guesses, Problem, Room, Settings,
    erased::{AnyIdempotencyKeys, AnyRateLimiter},
};

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

/// Whether what the server stands on can be reached.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// How each thing is.
    async fn check(&self) -> Vec<Check>;
}

/// How something is that the server stands on.
pub struct Check {
    /// What it is.
    pub name: String,
    /// What is wrong with it, if something is.
    pub fault: Option<String>,
    /// Whether the server cannot do its work without it.
    pub is_needed: bool,
}

impl Check {
    /// Something that the server cannot do without.
    pub fn needed(name: &str, fault: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            fault: fault.map(ToOwned::to_owned),
            is_needed: true,
        }
    }
}

/// What every request passes.
pub struct Gate {
    /// Tells who calls.
    pub identities: Arc<dyn Identities>,
    /// Counts requests.
    pub limiter: AnyRateLimiter,
    /// Remembers idempotent requests.
    pub idempotency: AnyIdempotencyKeys,
    /// Seals their answers.
    pub vault: Arc<dyn Vault>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of requests, and of what they make.
    pub ids: Arc<dyn Ids>,
    /// Who guesses credentials.
    pub guesses: Guesses,
    /// Turns away what is too much.
    pub room: Room,
    /// Whether the server stops, so that clients should ask elsewhere.
    pub stopping: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Limits and time limits.
    pub settings: Settings,
}
