//! Organizations, composed.

use std::sync::Arc;

use archesai_crypto::RandomTokens;
use archesai_organizations::{Adapters, Member, OrganizationId, Service, Settings, UserId};

use crate::{
    compose::Infrastructure,
    config::Config,
    erased::organizations::{AnyCache, AnyStore},
};

/// The adapters of organizations.
pub struct OrganizationsAdapters;

impl Adapters for OrganizationsAdapters {
    type Store = AnyStore;
    type Members = AnyCache<(OrganizationId, UserId), Member>;
    type OpaqueTokens = RandomTokens;
}

pub(super) fn compose(
    config: &Config,
    infrastructure: &Infrastructure,
) -> Service<OrganizationsAdapters> {
    Service {
        store: infrastructure.database.organizations_store(),
        members: infrastructure.caches.of_organizations("members"),
        opaque_tokens: RandomTokens,
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        settings: Settings {
            invitation_ttl: config.invitation_ttl,
            cache_ttl: config.cache_ttl,
        },
    }
}
