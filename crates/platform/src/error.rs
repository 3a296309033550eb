//! How the shared services fail.

use std::{error, fmt, result};

/// The result of a shared service.
pub type Result<T, E = Error> = result::Result<T, E>;

/// An adapter failed; the cause is for the log, not for a caller.
#[derive(Debug)]
pub struct Error(Box<dyn error::Error + Send + Sync>);

impl Error {
    /// Wraps the failure of an adapter.
    pub fn unavailable(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a backing service is unavailable")
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}
