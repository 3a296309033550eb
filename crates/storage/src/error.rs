//! Why the object store could not do what it was asked.

use std::{error, fmt, ops::Range};

use archesai_content as content;

/// The result of an operation on the object store.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the object store could not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// No object has this key.
    NotFound {
        /// The key that was asked for.
        key: String,
    },
    /// The key is not one this store takes: a defect of the caller, never of the user.
    Key {
        /// The key that was given.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The range begins behind the end of the object, or ends before it begins.
    Range {
        /// The range that was asked for, in bytes.
        range: Range<u64>,
        /// The size of the object, in bytes.
        size: u64,
    },
    /// A writer was used on after one of its writes had failed or was cut short, so
    /// that its object would have a hole.
    Broken,
    /// Where the store is said to be it cannot be. Says nothing of the credentials.
    Settings(String),
    /// The store answers, and has no such bucket.
    NoBucket(String),
    /// The store answers, and does not let whoever has these credentials read the bucket.
    Refused(Box<dyn error::Error + Send + Sync>),
    /// The store does not answer, is full, or lost what it had. Trying again may help.
    Unavailable(Box<dyn error::Error + Send + Sync>),
}

impl Error {
    /// What `object_store` says about a key, in this crate's words.
    pub(crate) fn from_store(error: object_store::Error, key: &str) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound {
                key: key.to_owned(),
            },
            error => Self::unavailable(error),
        }
    }

    /// The store failed for a reason that is not the caller's.
    pub(crate) fn unavailable(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for content::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::NotFound,
            error => Self::unavailable(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { key } => write!(f, "no object is stored as `{key}`"),
            Self::Key { key, reason } => {
                write!(f, "`{}` is no object key: {reason}", key.escape_debug())
            }
            Self::Range { range, size } => write!(
                f,
                "bytes {}..{} are outside an object of {size} bytes",
                range.start, range.end
            ),
            Self::Broken => f.write_str("the object cannot be finished: an earlier write failed"),
            Self::Settings(reason) => write!(f, "the object store cannot be used: {reason}"),
            Self::NoBucket(bucket) => write!(f, "the object store has no bucket `{bucket}`"),
            Self::Refused(_) => f.write_str("the object store refuses the credentials"),
            Self::Unavailable(_) => f.write_str("the object store is unavailable"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused(source) | Self::Unavailable(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}
