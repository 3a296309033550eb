//! Auth inside another program, on adapters of its own: no database, no web
//! framework, no part of the server. `cargo run -p archesai-auth --example embedding`
//!
//! The adapters are as small as they can be and not fit for use: passwords are
//! turned around rather than hashed, and a token is its claims in plain sight.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_auth::{
    Adapters, ApiKey, ApiKeyId, Cache, CacheError, Claims, Clock, Email, Error, Ids, Login,
    OrganizationId, Recorded, Registration, Result, Service, Session, SessionId, Settings,
    SigningKeyId, User, UserId,
    ports::{
        AccessTokens, Memberships, OpaqueTokens, Passwords, Repository, SigningKey, Store,
        TokenDigest, Transaction,
    },
};

/// Everything, in memory. A transaction works on the same tables: this program has one thread.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    users: HashMap<UserId, (User, String)>,
    sessions: HashMap<SessionId, (Session, TokenDigest)>,
    events: Vec<Recorded>,
}

impl Memory {
    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.0.lock().expect("nobody panics in here")
    }
}

impl Repository for Memory {
    async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        Ok(self.tables().users.get(&id).map(|(user, _)| user.clone()))
    }

    async fn find_user_by_email(&self, email: &Email) -> Result<Option<User>> {
        let tables = self.tables();
        let mut users = tables.users.values().map(|(user, _)| user);
        Ok(users.find(|user| user.email == *email).cloned())
    }

    async fn find_users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let tables = self.tables();
        let users = ids.iter().filter_map(|id| tables.users.get(id));
        Ok(users.map(|(user, _)| user.clone()).collect())
    }

    async fn find_password_hash(&self, id: UserId) -> Result<Option<String>> {
        Ok(self.tables().users.get(&id).map(|(_, hash)| hash.clone()))
    }

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<()> {
        if self.find_user_by_email(&user.email).await?.is_some() {
            return Err(Error::EmailTaken);
        }
        let row = (user.clone(), password_hash.to_owned());
        self.tables().users.insert(user.id, row);
        Ok(())
    }

    async fn update_user(&self, user: &User) -> Result<()> {
        match self.tables().users.get_mut(&user.id) {
            Some((stored, _)) if stored.version + 1 == user.version => {
                *stored = user.clone();
                Ok(())
            }
            _ => Err(Error::VersionConflict),
        }
    }

    async fn update_password_hash(&self, id: UserId, password_hash: &str) -> Result<()> {
        if let Some((_, hash)) = self.tables().users.get_mut(&id) {
            password_hash.clone_into(hash);
        }
        Ok(())
    }

    async fn insert_session(&self, session: &Session, token: &TokenDigest) -> Result<()> {
        let row = (session.clone(), *token);
        self.tables().sessions.insert(session.id, row);
        Ok(())
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        Ok(self
            .tables()
            .sessions
            .get(&id)
            .map(|(session, _)| session.clone()))
    }

    async fn find_session_by_token(&self, token: &TokenDigest) -> Result<Option<Session>> {
        let tables = self.tables();
        let mut rows = tables.sessions.values();
        Ok(rows
            .find(|(_, known)| known == token)
            .map(|(session, _)| session.clone()))
    }

    async fn find_session_by_spent_token(&self, _token: &TokenDigest) -> Result<Option<Session>> {
        Ok(None)
    }

    async fn rotate_session_token(
        &self,
        session: &Session,
        old: &TokenDigest,
        new: &TokenDigest,
    ) -> Result<bool> {
        match self.tables().sessions.get_mut(&session.id) {
            Some(row) if row.1 == *old => {
                *row = (session.clone(), *new);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn switch_session(&self, session: &Session, new: &TokenDigest) -> Result<bool> {
        let row = (session.clone(), *new);
        Ok(self.tables().sessions.insert(session.id, row).is_some())
    }

    async fn list_sessions(&self, user: UserId, now: SystemTime) -> Result<Vec<Session>> {
        let tables = self.tables();
        let sessions = tables.sessions.values().map(|(session, _)| session);
        let live = sessions.filter(|session| session.user_id == user && session.expires_at > now);
        Ok(live.cloned().collect())
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool> {
        Ok(self.tables().sessions.remove(&id).is_some())
    }

    async fn delete_expired_sessions(&self, now: SystemTime) -> Result<u64> {
        let mut tables = self.tables();
        let before = tables.sessions.len();
        tables
            .sessions
            .retain(|_, (session, _)| session.expires_at > now);
        Ok((before - tables.sessions.len()) as u64)
    }

    async fn insert_api_key(&self, _key: &ApiKey, _token: &TokenDigest) -> Result<()> {
        Err(Error::unavailable("this program has no API keys"))
    }

    async fn find_api_key_by_token(&self, _token: &TokenDigest) -> Result<Option<ApiKey>> {
        Ok(None)
    }

    async fn list_api_keys(&self, _: OrganizationId, _: UserId) -> Result<Vec<ApiKey>> {
        Ok(Vec::new())
    }

    async fn delete_api_key(
        &self,
        _organization: OrganizationId,
        _user: UserId,
        _id: ApiKeyId,
    ) -> Result<Option<TokenDigest>> {
        Ok(None)
    }

    async fn insert_signing_key(&self, _key: &SigningKey) -> Result<()> {
        Err(Error::unavailable("this program signs nothing"))
    }

    async fn list_signing_keys(&self) -> Result<Vec<SigningKey>> {
        Ok(Vec::new())
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.tables().events.push(event.clone());
        Ok(())
    }
}

impl Store for Memory {
    type Transaction = Self;

    async fn begin(&self) -> Result<Self> {
        Ok(self.clone())
    }
}

impl Transaction for Memory {
    async fn commit(self) -> Result<()> {
        Ok(())
    }
}

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
async fn main() -> Result<()> {
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

    for event in &memory.tables().events {
        println!("{}", event.event.kind());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_runs() {
        super::main().unwrap();
    }
}
