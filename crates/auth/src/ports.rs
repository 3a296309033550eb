//! What auth needs from the outside world.
//!
//! Implementations may write these methods as `async fn`; the traits spell the
//! future out only to promise that it is [`Send`]. Every method may fail with
//! [`Error::Unavailable`](crate::Error::Unavailable); the other errors a method
//! may give are said at the method, and adapters give them for that reason only.

use std::time::SystemTime;

use crate::{
    ApiKey, ApiKeyId, Claims, Cursor, CursorKey, Email, OrganizationId, Page, Recorded, Result,
    Session, SessionId, SigningKeyId, Slice, User, UserId,
};

/// The SHA-256 of a token: the only form in which tokens are kept.
pub type TokenDigest = [u8; 32];

/// What lists of this domain are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// When it came into being.
    CreatedAt,
}

/// Where a slice sorted by time goes on after an item.
pub fn cursor(created_at: SystemTime, id: u128) -> Cursor {
    Cursor {
        key: CursorKey::Time(created_at),
        id,
    }
}

/// Reads and writes what auth owns.
///
/// A pool of connections implements it, and then each call stands alone; a
/// [`Transaction`] implements it too, and then the calls share one commit.
pub trait Repository: Send + Sync + 'static {
    /// Finds a user by id.
    fn find_user(&self, id: UserId) -> impl Future<Output = Result<Option<User>>> + Send;

    /// Finds a user by address.
    fn find_user_by_email(
        &self,
        email: &Email,
    ) -> impl Future<Output = Result<Option<User>>> + Send;

    /// Finds users by id, in any order; those that do not exist are left out.
    fn find_users(&self, ids: &[UserId]) -> impl Future<Output = Result<Vec<User>>> + Send;

    /// The hash of a user's password; `None` for no such user or one without a password.
    fn find_password_hash(&self, id: UserId)
    -> impl Future<Output = Result<Option<String>>> + Send;

    /// Holds off other transactions that lock the same user until this one ends.
    /// Alone, outside a transaction, it does nothing.
    fn lock_user(&self, id: UserId) -> impl Future<Output = Result<()>> + Send;

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is a user with the id, or else
    /// [`EmailTaken`](crate::Error::EmailTaken) if there is one with the address.
    fn insert_user(
        &self,
        user: &User,
        password_hash: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes a user's name and times, if the stored version is `user.version - 1`.
    ///
    /// # Errors
    ///
    /// [`VersionConflict`](crate::Error::VersionConflict) if it is not, or there is no such user.
    fn update_user(&self, user: &User) -> impl Future<Output = Result<()>> + Send;

    /// Writes a user's password hash.
    fn update_password_hash(
        &self,
        id: UserId,
        password_hash: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Adds a session together with the digest of its refresh token.
    fn insert_session(
        &self,
        session: &Session,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds a session, expired or not.
    fn find_session(&self, id: SessionId) -> impl Future<Output = Result<Option<Session>>> + Send;

    /// Finds the session whose newest refresh token has this digest.
    fn find_session_by_token(
        &self,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<Option<Session>>> + Send;

    /// Finds the session that had a refresh token with this digest before its newest one.
    fn find_session_by_spent_token(
        &self,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<Option<Session>>> + Send;

    /// Replaces a session's refresh token, remembers the old one as spent, and
    /// writes the session's `refreshed_at`, `expires_at` and `active_organization_id`.
    /// Answers whether it did: of two calls with the same `old`, one does.
    fn rotate_session_token(
        &self,
        session: &Session,
        old: &TokenDigest,
        new: &TokenDigest,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Writes where a session works and its refresh token, spending the old one.
    /// Answers whether the session exists.
    fn switch_session(
        &self,
        session: &Session,
        new: &TokenDigest,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The sessions of a user that end after `now`.
    fn list_sessions(
        &self,
        user: UserId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> impl Future<Output = Result<Page<Session>>> + Send;

    /// Deletes a session. Answers whether it was there.
    fn delete_session(&self, id: SessionId) -> impl Future<Output = Result<bool>> + Send;

    /// At most `limit` of the sessions that have ended at `now`, in any order.
    fn list_expired_sessions(
        &self,
        now: SystemTime,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Session>>> + Send;

    /// Adds an API key together with its digest.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, whoever's.
    fn insert_api_key(
        &self,
        key: &ApiKey,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds an API key and its digest, expired or not.
    fn find_api_key(
        &self,
        id: ApiKeyId,
    ) -> impl Future<Output = Result<Option<(ApiKey, TokenDigest)>>> + Send;

    /// The API keys of a user in an organization.
    fn list_api_keys(
        &self,
        organization: OrganizationId,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> impl Future<Output = Result<Page<ApiKey>>> + Send;

    /// Deletes an API key of a user in an organization. Answers whether it was there.
    fn delete_api_key(
        &self,
        organization: OrganizationId,
        user: UserId,
        id: ApiKeyId,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Adds a signing key, its private part sealed, unless there is one of that identity.
    fn insert_signing_key(&self, key: &SigningKey) -> impl Future<Output = Result<()>> + Send;

    /// Replaces the private part of a signing key by the same, sealed anew.
    fn reseal_signing_key(
        &self,
        id: SigningKeyId,
        sealed_private_key: &[u8],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Every signing key, oldest first.
    fn list_signing_keys(&self) -> impl Future<Output = Result<Vec<SigningKey>>> + Send;

    /// Appends an event to the log, to be published after the commit.
    fn record(&self, event: &Recorded) -> impl Future<Output = Result<()>> + Send;
}

/// A [`Repository`] that can group its writes.
pub trait Store: Repository {
    /// An open transaction of this store.
    type Transaction: Transaction;

    /// Opens a transaction that may touch any user.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;
}

/// A [`Repository`] whose writes take effect together, or, if it is dropped
/// before [`commit`](Self::commit), not at all.
pub trait Transaction: Repository {
    /// Makes the writes durable and visible to others.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;
}

/// A key pair that signs access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Identity: the `kid` in the header of the tokens it signs.
    pub id: SigningKeyId,
    /// The public part: the 32 bytes of an Ed25519 key (RFC 8032).
    pub public_key: Vec<u8>,
    /// The private part, encrypted.
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created_at: SystemTime,
}

/// Turns passwords into hashes. Slow on purpose, so implementations bound how
/// many they work on at once and how many wait for that: beyond, they answer
/// [`Busy`](crate::Error::Busy).
pub trait Passwords: Send + Sync + 'static {
    /// Hashes a password with a salt of its own.
    fn hash(&self, password: &str) -> impl Future<Output = Result<String>> + Send;

    /// Whether a password has this hash. With no hash it answers `false` after
    /// as much work, so that time does not tell which users exist.
    fn verify(
        &self,
        password: &str,
        hash: Option<&str>,
    ) -> impl Future<Output = Result<bool>> + Send;
}

/// Signs and reads access tokens (JWT, RFC 7519).
pub trait AccessTokens: Send + Sync + 'static {
    /// Signs claims.
    fn sign(&self, claims: &Claims) -> Result<String>;

    /// Reads the claims of a token.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`](crate::Error::InvalidToken) unless we signed it and `now` is between its `nbf` and `exp`.
    fn verify(&self, token: &str, now: SystemTime) -> Result<Claims>;

    /// The public keys that tokens can be checked with (32 bytes of Ed25519 each).
    fn public_keys(&self) -> Vec<(SigningKeyId, Vec<u8>)>;
}

/// Makes and digests opaque tokens.
pub trait OpaqueTokens: Send + Sync + 'static {
    /// A token with 256 bits of randomness, after the prefix, in URL-safe characters.
    fn generate(&self, prefix: &str) -> String;

    /// The SHA-256 of a token.
    fn digest(&self, token: &str) -> TokenDigest;
}

/// What auth needs to know of who belongs where.
pub trait Memberships: Send + Sync + 'static {
    /// Where a user works when they sign in. Makes them a personal organization
    /// if they belong to none; of calls at the same moment all answer the same.
    fn home(&self, user: &User) -> impl Future<Output = Result<OrganizationId>> + Send;

    /// The name of a user's role in an organization; `None` if they do not belong to it.
    fn role(
        &self,
        user: UserId,
        organization: OrganizationId,
    ) -> impl Future<Output = Result<Option<String>>> + Send;
}
