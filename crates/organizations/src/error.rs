//! How the use cases of organizations fail.

use std::{error, fmt, result};

/// The result of an organizations operation.
pub type Result<T, E = Error> = result::Result<T, E>;

/// Why an organizations operation failed.
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
    /// There is no such thing, or it belongs to another organization.
    NotFound,
    /// Somebody else changed it since the version the caller knows.
    VersionConflict,
    /// The actor's role does not suffice for this; which role would.
    RoleTooSmall(&'static str),
    /// The change would leave the organization without an owner.
    LastOwner,
    /// There is one with this identity, whoever's.
    AlreadyExists,
    /// The user belongs to the organization already.
    AlreadyAMember,
    /// The user has a personal organization already.
    AlreadyHasPersonal,
    /// The invitation is for another address than the user's.
    WrongInvitee,
    /// The invitation was accepted, declined, taken back, or has expired.
    InvitationClosed,
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
        f.write_str(match self {
            Self::Invalid { field, reason } => return write!(f, "{field} {reason}"),
            Self::RoleTooSmall(needed) => return write!(f, "this takes the role {needed}"),
            Self::NotFound => "there is no such thing",
            Self::VersionConflict => "it was changed in the meantime",
            Self::LastOwner => "an organization keeps at least one owner",
            Self::AlreadyExists => "there is one with this identity",
            Self::AlreadyAMember => "the user belongs to the organization already",
            Self::AlreadyHasPersonal => "the user has a personal organization already",
            Self::WrongInvitee => "the invitation is for another email address",
            Self::InvitationClosed => {
                "the invitation was accepted, declined or taken back, or has expired"
            }
            Self::Unavailable(_) => "a backing service is unavailable",
        })
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
