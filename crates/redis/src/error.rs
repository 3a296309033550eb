//! How commands fail.

use std::{error, fmt};

use deadpool_redis::{
    PoolError,
    redis::{ParsingError, RedisError},
};

/// Why Redis did not do what it was asked to. It may have done it all the same.
#[derive(Debug)]
pub enum Error {
    /// It is known to be out of reach, and was not asked.
    OutOfReach,
    /// It did not answer in time.
    TooSlow,
    /// It, or the connection to it, failed.
    Failed(RedisError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfReach => "redis is out of reach; it is asked again in the background",
            Self::TooSlow => "redis did not answer in time",
            Self::Failed(_) => "redis failed",
        })
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::OutOfReach | Self::TooSlow => None,
            Self::Failed(source) => Some(source),
        }
    }
}

impl From<RedisError> for Error {
    fn from(source: RedisError) -> Self {
        Self::Failed(source)
    }
}

impl From<ParsingError> for Error {
    fn from(source: ParsingError) -> Self {
        Self::Failed(source.into())
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(source) => Self::Failed(source),
            PoolError::Timeout(_) => Self::TooSlow,
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::OutOfReach
            }
        }
    }
}

impl From<tokio::time::error::Elapsed> for Error {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TooSlow
    }
}
