//! Auth, composed.

use std::sync::Arc;

use anyhow::Context;
use archesai_auth::{
    Adapters, ApiKey, ApiKeyId, Clock, Service, Session, SessionId, Settings, SigningKeyId, User,
    UserId,
    ports::{Repository, TokenDigest},
};
use archesai_crypto::{Argon2Passwords, JwtTokens, RandomTokens};
use archesai_platform::vault::Vault;

use crate::{
    compose::{Infrastructure, OrganizationsAdapters, translate::Homes},
    config::Config,
    erased::auth::{AnyCache, AnyStore},
};

/// The adapters of auth.
pub struct AuthAdapters;

impl Adapters for AuthAdapters {
    type Store = AnyStore;
    type Sessions = AnyCache<SessionId, Session>;
    type ApiKeys = AnyCache<ApiKeyId, (ApiKey, TokenDigest)>;
    type Users = AnyCache<UserId, User>;
    type Passwords = Argon2Passwords;
    type AccessTokens = JwtTokens;
    type OpaqueTokens = RandomTokens;
    type Memberships = Homes;
}

pub(super) async fn compose(
    config: &Config,
    infrastructure: &Infrastructure,
    organizations: &Arc<archesai_organizations::Service<OrganizationsAdapters>>,
) -> anyhow::Result<Service<AuthAdapters>> {
    let settings = Settings {
        access_token_ttl: config.access_token_ttl,
        session_ttl: config.session_ttl,
        session_max_ttl: config.session_max_ttl,
        cache_ttl: config.cache_ttl,
        ..Settings::default()
    };
    let store = infrastructure.database.auth_store();
    let access_tokens = signing_keys(&store, infrastructure, &settings)
        .await
        .context("the signing keys cannot be used")?;
    Ok(Service {
        store,
        sessions: infrastructure.caches.of_auth("sessions"),
        api_keys: infrastructure.caches.of_auth("api_keys"),
        users: infrastructure.caches.of_auth("users"),
        passwords: Argon2Passwords::new(config.parallel_password_hashes),
        access_tokens,
        opaque_tokens: RandomTokens,
        memberships: Homes(Arc::clone(organizations)),
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        settings,
    })
}

/// The keys that sign access tokens; the first start makes one.
async fn signing_keys(
    store: &AnyStore,
    infrastructure: &Infrastructure,
    settings: &Settings,
) -> archesai_auth::Result<JwtTokens> {
    let vault = infrastructure.vault.as_ref();
    let system = infrastructure.system.as_ref();
    let mut keys = store.list_signing_keys().await?;
    if keys.is_empty() {
        let id = first_signing_key(vault)?;
        let key = JwtTokens::generate(id, system.now(), vault)?;
        store.insert_signing_key(&key).await?;
        keys = store.list_signing_keys().await?;
    }
    JwtTokens::new(&keys, vault, &settings.issuer, &settings.audience).await
}

/// The identity of the first key: the same on all nodes of a system, so that of many that start at
/// once one makes it, and all use that.
fn first_signing_key(vault: &dyn Vault) -> archesai_auth::Result<SigningKeyId> {
    let digest = vault.mac(b"identity", b"signing key 1");
    let digest = digest.map_err(archesai_auth::Error::unavailable)?;
    let (id, _) = digest.split_first_chunk().expect("a digest is longer");
    Ok(SigningKeyId(u128::from_be_bytes(*id)))
}

/// Seals the keys that sign access tokens as the vault seals now.
pub(super) async fn reseal_signing_keys(
    store: &AnyStore,
    vault: &dyn Vault,
) -> archesai_auth::Result<()> {
    for key in store.list_signing_keys().await? {
        let sealed = JwtTokens::reseal(&key, vault).await?;
        store.reseal_signing_key(key.id, &sealed).await?;
    }
    Ok(())
}
