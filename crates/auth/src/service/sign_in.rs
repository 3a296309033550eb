//! Signing up, signing in, and exchanging refresh tokens.

use std::{fmt, time::Duration, time::SystemTime, time::UNIX_EPOCH};

use crate::{
    Claims, Email, Error, Event, OrganizationId, Result, Service, Session, SessionId, Settings,
    User, UserId,
    ports::{
        AccessTokens, Memberships, OpaqueTokens, Passwords, Repository, Store, TokenDigest,
        Transaction,
    },
    service::Adapters,
    user::{check_name, check_password},
};

/// What refresh tokens begin with, so that people and scanners recognise them.
const REFRESH_PREFIX: &str = "arr_";

/// The longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 300;

/// What a newcomer tells us.
pub struct Registration {
    /// The identity they get; the same one again where the request may have been carried out before.
    pub id: UserId,
    /// Must not be in use.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// In clear; it is hashed at once.
    pub password: String,
    /// The `User-Agent` they sign up with.
    pub user_agent: Option<String>,
}

/// How somebody proves who they are.
pub struct Login {
    /// Their address.
    pub email: String,
    /// Their password, in clear.
    pub password: String,
    /// The `User-Agent` they sign in with.
    pub user_agent: Option<String>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// What signing in gives. The tokens are shown here once and never again.
pub struct SignedIn {
    /// Goes with every request; see [`Claims`].
    pub access_token: String,
    /// How long the access token is good.
    pub expires_in: Duration,
    /// Good for one exchange against new tokens.
    pub refresh_token: String,
    /// Who signed in.
    pub user: User,
    /// What they signed in to.
    pub session: Session,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("session", &self.session.id)
            .finish_non_exhaustive()
    }
}

impl<A: Adapters> Service<A> {
    /// Signs somebody up, with an organization of their own, and signs them in.
    /// Whoever signed up with this identity, address and password before is signed
    /// in as by [`login`](Self::login).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::EmailTaken`] or [`Error::AlreadyExists`]; nothing is written then.
    pub async fn register(&self, request: Registration) -> Result<SignedIn> {
        let email = Email::parse(&request.email)?;
        let name = check_name("name", &request.name)?;
        check_password("password", &request.password)?;
        let taken = if self.store.find_user_by_email(&email).await?.is_some() {
            Error::EmailTaken
        } else {
            let hash = self.passwords.hash(&request.password).await?;
            match self.insert_user(request.id, &email, name, &hash).await {
                // From here on the user exists: were the next step to fail, signing in repeats it.
                Ok(user) => return self.open_session(user, &hash, request.user_agent).await,
                // Another request was faster; it may have been this very one.
                Err(taken @ (Error::EmailTaken | Error::AlreadyExists)) => taken,
                Err(error) => return Err(error),
            }
        };
        let found = self.store.find_user_by_email(&email).await?;
        let Some(user) = found.filter(|user| user.id == request.id) else {
            return Err(taken);
        };
        match self.verified(Some(user), &request.password).await? {
            Some((user, hash)) => self.open_session(user, &hash, request.user_agent).await,
            None => Err(taken),
        }
    }

    /// Signs somebody in.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCredentials`], after the same work whether or not the user exists.
    pub async fn login(&self, request: Login) -> Result<SignedIn> {
        let user = match Email::parse(&request.email) {
            Ok(email) => self.store.find_user_by_email(&email).await?,
            Err(_) => None,
        };
        match self.verified(user, &request.password).await? {
            Some((user, hash)) => self.open_session(user, &hash, request.user_agent).await,
            None => Err(Error::WrongCredentials),
        }
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`]. If the token was exchanged before, somebody has
    /// a copy of it, and the session ends.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn> {
        let old = self.opaque_tokens.digest(refresh_token);
        let Some(mut session) = self.store.find_session_by_token(&old).await? else {
            return Err(self.refuse_refresh(&old).await?);
        };
        let now = self.clock.now();
        if session.expires_at <= now {
            return Err(Error::InvalidToken);
        }
        let user = self.existing_user(session.user_id).await?;
        if self
            .role(user.id, session.active_organization_id)
            .await?
            .is_none()
        {
            session.active_organization_id = self.memberships.home(&user).await?;
        }
        session.refreshed_at = now;
        session.expires_at = self.end_of_session(session.created_at, now);
        let token = self.opaque_tokens.generate(REFRESH_PREFIX);
        let new = self.opaque_tokens.digest(&token);
        // Before the old token is spent: what fails after that, the client cannot repeat.
        let signed_in = self.signed_in(user, session, token).await?;
        let session = &signed_in.session;
        let event = Event::SessionRefreshed {
            session_id: session.id,
            user_id: session.user_id,
            active_organization_id: session.active_organization_id,
        };
        let event = self.event(None, session.user_id, event);
        let transaction = self.store.begin().await?;
        if !transaction
            .rotate_session_token(session, &old, &new)
            .await?
        {
            // Another transaction ends the session.
            drop(transaction);
            return Err(self.refuse_refresh(&old).await?);
        }
        transaction.record(&event).await?;
        transaction.commit().await?;
        self.forget_session(session.id).await;
        Ok(signed_in)
    }

    /// Makes a session work in another organization, and exchanges its tokens.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMember`] if its user does not belong there,
    /// [`Error::NotFound`] if the session has ended.
    pub async fn switch_organization(
        &self,
        session: SessionId,
        organization: OrganizationId,
    ) -> Result<SignedIn> {
        let Some(mut session) = self.store.find_session(session).await? else {
            return Err(Error::NotFound);
        };
        let user = self.existing_user(session.user_id).await?;
        if self.role(user.id, organization).await?.is_none() {
            return Err(Error::NotAMember);
        }
        session.active_organization_id = organization;
        let token = self.opaque_tokens.generate(REFRESH_PREFIX);
        let digest = self.opaque_tokens.digest(&token);
        let signed_in = self.signed_in(user, session, token).await?;
        let (user, session) = (&signed_in.user, &signed_in.session);
        let event = Event::SessionUpdated {
            session_id: session.id,
            user_id: user.id,
            active_organization_id: organization,
        };
        let transaction = self.store.begin().await?;
        if !transaction.switch_session(session, &digest).await? {
            return Err(Error::NotFound);
        }
        transaction
            .record(&self.event(None, user.id, event))
            .await?;
        transaction.commit().await?;
        self.forget_session(session.id).await;
        Ok(signed_in)
    }

    /// A user with the hash of their password, if the password is theirs. It takes
    /// the same work whether or not there is a user.
    async fn verified(&self, user: Option<User>, password: &str) -> Result<Option<(User, String)>> {
        let hash = match &user {
            Some(user) => self.store.find_password_hash(user.id).await?,
            None => None,
        };
        let right = self.passwords.verify(password, hash.as_deref()).await?;
        Ok(user.zip(hash).filter(|_| right))
    }

    async fn insert_user(
        &self,
        id: UserId,
        email: &Email,
        name: String,
        hash: &str,
    ) -> Result<User> {
        let now = self.clock.now();
        let user = User {
            id,
            email: email.clone(),
            name,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let event = Event::UserRegistered {
            user_id: user.id,
            email: user.email.to_string(),
        };
        let transaction = self.store.begin().await?;
        transaction.insert_user(&user, hash).await?;
        transaction
            .record(&self.event(None, user.id, event))
            .await?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Opens a session for a user whose password has the given hash.
    async fn open_session(
        &self,
        user: User,
        password_hash: &str,
        user_agent: Option<String>,
    ) -> Result<SignedIn> {
        let now = self.clock.now();
        let session = Session {
            id: SessionId(self.ids.next()),
            user_id: user.id,
            active_organization_id: self.memberships.home(&user).await?,
            user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
            created_at: now,
            refreshed_at: now,
            expires_at: self.end_of_session(now, now),
        };
        let token = self.opaque_tokens.generate(REFRESH_PREFIX);
        let digest = self.opaque_tokens.digest(&token);
        // Before there is a session: what fails after that leaves one that nobody has.
        let signed_in = self.signed_in(user, session, token).await?;
        let session = &signed_in.session;
        let event = Event::SessionStarted {
            session_id: session.id,
            user_id: session.user_id,
        };
        let transaction = self.store.begin().await?;
        still_has(&transaction, session.user_id, Some(password_hash)).await?;
        transaction.insert_session(session, &digest).await?;
        transaction
            .record(&self.event(None, session.user_id, event))
            .await?;
        transaction.commit().await?;
        Ok(signed_in)
    }

    /// When a session ends that was opened and is refreshed at these times.
    fn end_of_session(&self, opened: SystemTime, refreshed: SystemTime) -> SystemTime {
        let Settings {
            session_ttl,
            session_max_ttl,
            ..
        } = self.settings;
        (refreshed + session_ttl).min(opened + session_max_ttl)
    }

    async fn signed_in(
        &self,
        user: User,
        session: Session,
        refresh_token: String,
    ) -> Result<SignedIn> {
        let role = self
            .role(user.id, session.active_organization_id)
            .await?
            .ok_or(Error::NotAMember)?;
        let now = seconds(self.clock.now());
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            sub: user.id,
            user_id: user.id,
            email: user.email.clone(),
            organization_id: session.active_organization_id,
            role,
            sid: session.id,
            iat: now,
            nbf: now,
            exp: now + self.settings.access_token_ttl.as_secs(),
            jti: SessionId(self.ids.next()).to_string(),
        };
        Ok(SignedIn {
            access_token: self.access_tokens.sign(&claims)?,
            expires_in: self.settings.access_token_ttl,
            refresh_token,
            user,
            session,
        })
    }

    /// Why a refresh token is refused; ends its session if it was spent before.
    async fn refuse_refresh(&self, token: &TokenDigest) -> Result<Error> {
        if let Some(session) = self.store.find_session_by_spent_token(token).await? {
            self.end_session(&session, "refresh_token_reused").await?;
        }
        Ok(Error::InvalidToken)
    }

    async fn role(&self, user: UserId, organization: OrganizationId) -> Result<Option<String>> {
        self.memberships.role(user, organization).await
    }

    /// The user a session belongs to, past the cache.
    async fn existing_user(&self, id: UserId) -> Result<User> {
        let user = self.store.find_user(id).await?;
        user.ok_or(Error::InvalidToken)
    }
}

/// Makes sure that the hash of a user's password is still the one that was
/// verified: whoever changes it ends the sessions that are there, and must not
/// miss one. The user is locked from here on.
pub(super) async fn still_has(
    transaction: &impl Transaction,
    user: UserId,
    verified: Option<&str>,
) -> Result<()> {
    transaction.lock_user(user).await?;
    if transaction.find_password_hash(user).await?.as_deref() == verified {
        Ok(())
    } else {
        Err(Error::WrongCredentials)
    }
}

/// Whole seconds since the Unix epoch (`NumericDate` of RFC 7519).
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
