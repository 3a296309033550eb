//! How the use cases of content fail.

use std::{error, fmt, result};

/// The result of a content operation.
pub type Result<T, E = Error> = result::Result<T, E>;

/// Why a content operation failed.
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
    /// The organization has a label of this name.
    LabelTaken,
    /// There is one with this identity, whoever's.
    AlreadyExists,
    /// The upload has more bytes than an artifact may have.
    TooLarge {
        /// How many bytes an artifact may have.
        limit: u64,
    },
    /// The upload took longer than an upload may take.
    TooSlow,
    /// The embedding model has no vector for a text, and asking again changes nothing.
    TextRefused {
        /// Why, for people.
        reason: String,
    },
    /// What was asked for needs an embedding model, and none is configured.
    NoModel,
    /// The embedding given has another number of dimensions than those it would be compared with.
    Dimensions {
        /// How many it must have.
        expected: u32,
    },
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
            Self::NotFound => f.write_str("there is no such thing"),
            Self::VersionConflict => f.write_str("it was changed in the meantime"),
            Self::LabelTaken => f.write_str("there is a label of this name"),
            Self::AlreadyExists => f.write_str("there is one with this identity"),
            Self::TooLarge { limit } => {
                write!(f, "an artifact may have {limit} bytes at most")
            }
            Self::TooSlow => f.write_str("the upload took too long; begin it again"),
            Self::TextRefused { reason } => {
                write!(
                    f,
                    "the embedding model has no vector for the text: {reason}"
                )
            }
            Self::NoModel => f.write_str(
                "no embedding model is configured; an operator puts one into the folder that \
                 ARCHESAI_MODEL_DIR names or configures an embedding provider, \
                 and searching in keyword mode works without one",
            ),
            Self::Dimensions { expected } => {
                write!(f, "the embedding must have {expected} dimensions")
            }
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
