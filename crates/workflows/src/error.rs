//! How the use cases of workflows fail.

use std::{error, fmt, result, sync::Arc};

use serde::Serialize;

/// The result of a workflows operation.
pub type Result<T, E = Error> = result::Result<T, E>;

/// Why a workflows operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or it belongs to another organization.
    NotFound,
    /// There is one with this identity, whoever's.
    AlreadyExists,
    /// A definition or an input breaks rules; nothing was changed. Never empty.
    Invalid(Vec<Violation>),
    /// Somebody else changed it since the version the caller knows.
    VersionConflict,
    /// The run has ended, and what has ended does not change.
    RunEnded,
    /// The caller does not hold the step any more: it was cancelled, or its
    /// lease ended and another worker has it. What the caller found out is discarded.
    LeaseLost,
    /// What is kept of it cannot be made out, now or later; the cause is for the
    /// log, not for the caller.
    Unreadable(Box<dyn error::Error + Send + Sync>),
    /// An adapter failed; the cause is for the log, not for the caller.
    Unavailable(Box<dyn error::Error + Send + Sync>),
}

impl Error {
    /// Wraps the failure of an adapter.
    pub fn unavailable(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// Wraps why something that is kept cannot be made out.
    pub fn unreadable(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Unreadable(cause.into())
    }

    /// The same failure, for another of those who met it together.
    pub(crate) fn shared(self: &Arc<Self>) -> Self {
        match **self {
            Self::Unreadable(_) => Self::unreadable(Arc::clone(self)),
            _ => Self::unavailable(Arc::clone(self)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such thing"),
            Self::Invalid(violations) => match violations.first() {
                Some(violation) => violation.fmt(f),
                None => f.write_str("a value breaks a rule"),
            },
            Self::AlreadyExists => f.write_str("there is one with this identity"),
            Self::VersionConflict => f.write_str("it was changed in the meantime"),
            Self::RunEnded => f.write_str("the run has ended"),
            Self::LeaseLost => f.write_str("the step is not this worker's any more"),
            Self::Unreadable(_) => f.write_str("what is kept of it cannot be read"),
            Self::Unavailable(_) => f.write_str("a backing service is unavailable"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreadable(cause) | Self::Unavailable(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

/// One rule that a JSON document breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// The place in the document (JSON Pointer, RFC 6901); empty for the whole.
    pub pointer: String,
    /// Which rule, for a person to read.
    pub detail: String,
}

impl Violation {
    /// Makes a violation.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }

    /// The same violation, of a document that lies at `prefix` in a greater one.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.detail)
        } else {
            write!(f, "{}: {}", self.pointer, self.detail)
        }
    }
}
