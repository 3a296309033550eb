//! Access tokens, and who a request turns out to come from.

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, Email, OrganizationId, Scope, SessionId, UserId};

/// What an access token says: the registered claims of RFC 7519 and our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made the token.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Whom it speaks for: the user's id.
    pub sub: UserId,
    /// The user's id again, under the name clients look for.
    pub user_id: UserId,
    /// The user's address.
    pub email: Email,
    /// Where the token works.
    pub organization_id: OrganizationId,
    /// The user's role there when the token was made. Advice for clients: the server asks anew.
    pub role: String,
    /// The session that must be alive for the token to be good.
    pub sid: SessionId,
    /// Seconds since the Unix epoch when it was made.
    pub iat: u64,
    /// Seconds since the Unix epoch before which it is no good.
    pub nbf: u64,
    /// Seconds since the Unix epoch from which on it is no good.
    pub exp: u64,
    /// Identifies the token.
    pub jti: String,
}

/// Who a request comes from, as its credential proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user_id: UserId,
    /// Where they work.
    pub organization_id: OrganizationId,
    /// The session, where they signed in.
    pub session_id: Option<SessionId>,
    /// The API key, where a program acts for them.
    pub api_key_id: Option<ApiKeyId>,
    /// What the credential is good for; `None` for everything the user may do.
    pub scopes: Option<Vec<Scope>>,
}
