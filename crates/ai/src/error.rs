//! Why a model could not do what it was asked.

use std::{error, fmt, path::PathBuf, time::Duration};

use archesai_content as content;

/// The result of a call to a model.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// There is no local model where one was looked for.
    Missing {
        /// The file that is not there.
        file: PathBuf,
    },
    /// What is there is not a model that this crate can run.
    Unusable {
        /// The file that is at fault.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The local model failed while it was computing: a defect, or no memory.
    Failed(Box<dyn error::Error + Send + Sync>),
    /// The options are not ones that a client can be made of.
    Options {
        /// What is wrong with them.
        reason: String,
    },
    /// The provider refused the request; asking again changes nothing.
    Refused {
        /// The status of its answer (RFC 9110, section 15).
        status: u16,
        /// Its code for the reason, where it gave one that is a plain word.
        code: Option<String>,
    },
    /// The provider is too busy or has failed, also after what retries there were.
    Busy {
        /// The status of its last answer.
        status: u16,
        /// How long it asked to be left alone, where it did.
        retry_after: Option<Duration>,
    },
    /// The provider cannot be reached, or did not answer in time.
    Unreachable {
        /// What happened.
        reason: &'static str,
        /// The failure beneath, where there is one.
        source: Option<Box<dyn error::Error + Send + Sync>>,
    },
    /// The provider answered something that is not what was asked for.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// How long to wait before the same request may do better; nothing where it will not.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(retry_after.unwrap_or(Duration::from_secs(1))),
            Self::Unreachable { .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { file } => write!(
                f,
                "there is no embedding model: {} does not exist; get it with `cargo xtask model`, \
                 set ARCHESAI_MODEL_DIR to a folder that has it, or configure a provider",
                file.display()
            ),
            Self::Unusable { file, reason } => {
                write!(f, "{} is not usable as a model: {reason}", file.display())
            }
            Self::Failed(_) => f.write_str("the local model failed"),
            Self::Options { reason } => write!(f, "the provider is misconfigured: {reason}"),
            Self::Refused { status, code } => {
                let reason = match status {
                    401 | 403 => "does not accept the key",
                    404 => "does not know the model or the address",
                    413 => "finds the request too large",
                    300..=399 => "has moved to another address",
                    _ => "refused the request",
                };
                write!(f, "the provider {reason} (status {status}")?;
                if let Some(code) = code {
                    write!(f, ", {code}")?;
                }
                f.write_str(")")
            }
            Self::Busy { status: 429, .. } => {
                f.write_str("the provider limits the rate of requests (status 429)")
            }
            Self::Busy { status, .. } => write!(f, "the provider failed (status {status})"),
            Self::Unreachable { reason, .. } => write!(f, "the provider {reason}"),
            Self::Malformed { reason } => {
                write!(f, "the provider's answer is not understood: {reason}")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Failed(source) => Some(source.as_ref()),
            Self::Unreachable { source, .. } => source.as_deref().map(|source| source as _),
            _ => None,
        }
    }
}

impl From<Error> for content::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing { .. } => Self::NoModel,
            // What a provider says to an input that it does not take, and what one
            // does to a local model that it breaks.
            Error::Refused {
                status: 400 | 413 | 422,
                ..
            }
            | Error::Failed(_) => Self::TextRefused {
                reason: error.to_string(),
            },
            error => Self::unavailable(error),
        }
    }
}
