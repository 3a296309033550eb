//! How the use cases of auth fail.

use std::{error, fmt, result};

/// The result of an auth operation.
pub type Result<T, E = Error> = result::Result<T, E>;

/// Why an auth operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A value breaks a rule; nothing was changed.
    Invalid {
        /// Which field of the request.
        field: &'static str,
        /// Which rule, and how to keep it.
        reason: &'static str,
    },
    /// There is one with this identity, whoever's.
    AlreadyExists,
    /// Another user has this email address.
    EmailTaken,
    /// The email address or the password is wrong; which of them is not said.
    WrongCredentials,
    /// The token is unknown, expired, revoked or not one of ours.
    InvalidToken,
    /// There is no such thing, or it belongs to somebody else.
    NotFound,
    /// Somebody else changed it since the version the caller knows.
    VersionConflict,
    /// The user does not belong to the organization.
    NotAMember,
    /// There is more to do than can be done soon; nothing was changed.
    Busy,
    /// An adapter failed; the cause is for the log, not for the caller.
    Unavailable(Box<dyn error::Error + Send + Sync>),
}

impl Error {
    /// Wraps the failure of an adapter.
    pub fn unavailable(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, reason } => write!(f, "{field} {reason}"),
            Self::AlreadyExists => f.write_str("there is one with this identity"),
            Self::EmailTaken => f.write_str("the email address is taken"),
            Self::WrongCredentials => f.write_str("the email address or the password is wrong"),
            Self::InvalidToken => f.write_str("the token is not valid"),
            Self::NotFound => f.write_str("there is no such thing"),
            Self::VersionConflict => f.write_str("it was changed in the meantime"),
            Self::NotAMember => f.write_str("the user does not belong to the organization"),
            Self::Busy => f.write_str("there is more to do than can be done soon"),
            Self::Unavailable(_) => f.write_str("a backing service is unavailable"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unavailable(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}
