//! Auth inside another program, on adapters of its own: no database, no web
//! framework, no part of the server. `cargo run -p archesai-auth --example embedding`
//!
//! The adapters are as small as they can be and not fit for use: passwords are
//! turned around rather than hashed, and a token is its claims in plain sight.

pub(crate) mod memory;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_auth::{
    Adapters, Cache, CacheError, Claims, Clock, Email, Error, Ids, Login, OrganizationId,
    Registration, Result, Service, Settings, SigningKeyId, User, UserId,
    ports::{AccessTokens, Memberships, OpaqueTokens, Passwords, TokenDigest},
};
use memory::Memory;

/// Remembers nothing, which a cache may.
struct Forgetful;

impl<K: Sync, V: Sync> Cache<K, V> for Forgetful {
    async fn get(&self, _key: &K) -> Result<Option<V>, CacheError> {
        Ok(None)
    }

    async fn put(&self, _key: &K, _value: &V, _ttl: Duration) -> Result<(), CacheError> {
        Ok(())
    }

    async fn remove(&self, _key: &K) -> Result<(), CacheError> {
        Ok(())
    }
}

/// Does badly what cryptography does well.
struct Plain;

fn turned(text: &str) -> String {
    text.chars().rev().collect()
}

impl Passwords for Plain {
    async fn hash(&self, password: &str) -> Result<String> {
        Ok(turned(password))
    }

    async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        Ok(hash == Some(&turned(password)))
    }
}

impl OpaqueTokens for Plain {
    fn generate(&self, prefix: &str) -> String {
        format!("{prefix}{}", Counter.next())
    }

    fn digest(&self, token: &str) -> TokenDigest {
        let mut digest = [0; 32];
        for (at, byte) in token.bytes().enumerate() {
            digest[at % 32] ^= byte;
        }
        digest
    }
}

impl AccessTokens for Plain {
    fn sign(&self, claims: &Claims) -> Result<String> {
        Ok(format!(
            "{}/{}/{}",
            claims.sid, claims.sub, claims.organization_id
        ))
    }

    fn verify(&self, token: &str, _now: SystemTime) -> Result<Claims> {
        let parts: Vec<&str> = token.split('/').collect();
        let [sid, sub, organization_id] = parts[..] else {
            return Err(Error::InvalidToken);
        };
        let sub = sub.parse().map_err(|_| Error::InvalidToken)?;
        Ok(Claims {
            iss: String::new(),
            aud: String::new(),
            sub,
            user_id: sub,
            email: Email::parse("nobody@example.com")?,
            organization_id: organization_id.parse().map_err(|_| Error::InvalidToken)?,
            role: String::new(),
            sid: sid.parse().map_err(|_| Error::InvalidToken)?,
            iat: 0,
            nbf: 0,
            exp: 0,
            jti: String::new(),
        })
    }

    fn public_keys(&self) -> Vec<(SigningKeyId, Vec<u8>)> {
        Vec::new()
    }
}

/// A world with one organization.
struct OneOrganization;

impl Memberships for OneOrganization {
    async fn home(&self, _user: &User) -> Result<OrganizationId> {
        Ok(OrganizationId(1))
    }

    async fn role(&self, _user: UserId, _: OrganizationId) -> Result<Option<String>> {
        Ok(Some("owner".to_owned()))
    }
}

/// Counts instead of telling the time.
struct Counter;

static COUNT: AtomicU64 = AtomicU64::new(1);

impl Clock for Counter {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Ids for Counter {
    fn next(&self) -> u128 {
        COUNT.fetch_add(1, Ordering::Relaxed).into()
    }
}

struct Embedded;

impl Adapters for Embedded {
    type Store = Memory;
    type Sessions = Forgetful;
    type ApiKeys = Forgetful;
    type Users = Forgetful;
    type Passwords = Plain;
    type AccessTokens = Plain;
    type OpaqueTokens = Plain;
    type Memberships = OneOrganization;
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<()> {
    let memory = Memory::default();
    let auth: Service<Embedded> = Service {
        store: memory.clone(),
        sessions: Forgetful,
        api_keys: Forgetful,
        users: Forgetful,
        passwords: Plain,
        access_tokens: Plain,
        opaque_tokens: Plain,
        memberships: OneOrganization,
        clock: Arc::new(Counter),
        ids: Arc::new(Counter),
        settings: Settings::default(),
    };

    let registration = Registration {
        id: UserId(auth.ids.next()),
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        password: "correct horse".to_owned(),
        user_agent: None,
    };
    let signed_up = auth.register(registration).await?;
    println!("registered {} ({})", signed_up.user.name, signed_up.user.id);

    let login = |password: &str| Login {
        email: "ada@example.com".to_owned(),
        password: password.to_owned(),
        user_agent: None,
    };
    assert!(matches!(
        auth.login(login("wrong")).await,
        Err(Error::WrongCredentials)
    ));
    let signed_in = auth.login(login("correct horse")).await?;
    let identity = auth.authenticate(&signed_in.access_token).await?;
    assert_eq!(identity.user_id, signed_up.user.id);

    auth.logout(signed_in.session.id).await?;
    let refused = auth.authenticate(&signed_in.access_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));

    for event in memory.events() {
        println!("{}", event.event.kind());
    }
    Ok(())
}
