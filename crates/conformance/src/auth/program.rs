//! A program around a store: the auth domain with stand-ins for cryptography, for
//! the other domains, caches and clock.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_auth::{
    Adapters, ApiKey, ApiKeyId, Claims, Email, Error, Login, OrganizationId, Registration, Result,
    Service, Session, SessionId, Settings, SignedIn, SigningKeyId, User, UserId,
    ports::{AccessTokens, Memberships, OpaqueTokens, Passwords, Store, TokenDigest},
};

use crate::{
    fakes::{Gate, Hand, Shelf},
    fresh,
};

/// The domain over a store.
pub struct Program<S: Store> {
    /// The use cases.
    pub auth: Service<Fakes<S>>,
    /// Tells the time.
    pub clock: Arc<Hand>,
    /// Holds calls up: at `verify`, when a password is checked; at `role`, when a
    /// membership is asked for; at `put`, when a cache is filled.
    pub gate: Gate,
}

/// The adapters of a [`Program`].
pub struct Fakes<S>(PhantomData<S>);

impl<S: Store> Adapters for Fakes<S> {
    type Store = S;
    type Sessions = Shelf<SessionId, Session>;
    type ApiKeys = Shelf<ApiKeyId, (ApiKey, TokenDigest)>;
    type Users = Shelf<UserId, User>;
    type Passwords = Plain;
    type AccessTokens = Plain;
    type OpaqueTokens = Plain;
    type Memberships = Places;
}

impl<S: Store> Program<S> {
    /// Sets the domain up over a store.
    pub fn new(store: S) -> Self {
        let (clock, gate) = (Arc::new(Hand::default()), Gate::default());
        let auth = Service {
            store,
            sessions: Shelf::new(&gate),
            api_keys: Shelf::new(&gate),
            users: Shelf::new(&gate),
            passwords: Plain(gate.clone()),
            access_tokens: Plain(gate.clone()),
            opaque_tokens: Plain(gate.clone()),
            memberships: Places {
                gate: gate.clone(),
                roles: Mutex::default(),
            },
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&clock) as _,
            settings: Settings::default(),
        };
        Self { auth, clock, gate }
    }

    /// Signs somebody new up, with the password `first password`.
    pub async fn register(&self) -> SignedIn {
        let id = UserId(fresh());
        let registration = Registration {
            id,
            email: format!("{id}@example.com"),
            name: "Zoë".to_owned(),
            password: "first password".to_owned(),
            user_agent: None,
        };
        self.auth.register(registration).await.unwrap()
    }

    /// Signs somebody in.
    pub async fn login(&self, user: &User, password: &str) -> Result<SignedIn> {
        let login = Login {
            email: user.email.to_string(),
            password: password.to_owned(),
            user_agent: None,
        };
        self.auth.login(login).await
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

/// Cryptography in plain sight: a hash is the password turned around, a token its claims.
pub struct Plain(Gate);

fn turned(text: &str) -> String {
    text.chars().rev().collect()
}

impl Passwords for Plain {
    async fn hash(&self, password: &str) -> Result<String> {
        Ok(turned(password))
    }

    async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        self.0.pass("verify").await;
        Ok(hash == Some(&turned(password)))
    }
}

impl OpaqueTokens for Plain {
    fn generate(&self, prefix: &str) -> String {
        format!("{prefix}{:032x}", fresh())
    }

    fn digest(&self, token: &str) -> TokenDigest {
        let mut digest: TokenDigest = [0; 32];
        for (at, byte) in token.bytes().enumerate() {
            // Every place of the text counts, as in a real digest.
            digest[at % 32] = digest[at % 32].wrapping_mul(31).wrapping_add(byte);
        }
        digest
    }
}

impl AccessTokens for Plain {
    fn sign(&self, claims: &Claims) -> Result<String> {
        Ok(format!(
            "{}/{}/{}/{}",
            claims.sid, claims.sub, claims.organization_id, claims.exp
        ))
    }

    fn verify(&self, token: &str, now: SystemTime) -> Result<Claims> {
        let parts: Vec<&str> = token.split('/').collect();
        let [sid, sub, organization_id, exp] = parts[..] else {
            return Err(Error::InvalidToken);
        };
        let exp = exp.parse().map_err(|_| Error::InvalidToken)?;
        if now >= UNIX_EPOCH + Duration::from_secs(exp) {
            return Err(Error::InvalidToken);
        }
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
            exp,
            jti: String::new(),
        })
    }

    fn public_keys(&self) -> Vec<(SigningKeyId, Vec<u8>)> {
        Vec::new()
    }
}

/// Who belongs where. Everybody is at home in the organization with their own id.
pub struct Places {
    gate: Gate,
    roles: Mutex<HashMap<(UserId, OrganizationId), Option<&'static str>>>,
}

impl Places {
    /// Gives a user a role in an organization, or none.
    pub fn set(&self, user: UserId, organization: OrganizationId, role: Option<&'static str>) {
        let mut roles = self.roles.lock().unwrap();
        roles.insert((user, organization), role);
    }
}

impl Memberships for Places {
    async fn home(&self, user: &User) -> Result<OrganizationId> {
        Ok(OrganizationId(user.id.0))
    }

    async fn role(&self, user: UserId, organization: OrganizationId) -> Result<Option<String>> {
        self.gate.pass("role").await;
        let roles = self.roles.lock().unwrap();
        let home = (user.0 == organization.0).then_some("owner");
        let role = roles.get(&(user, organization)).copied();
        Ok(role.unwrap_or(home).map(str::to_owned))
    }
}
