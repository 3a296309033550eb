//! Why a request did not come to its answer.

use std::{error, fmt, net::IpAddr, time::Duration};

use crate::Kind;

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request did not come to its answer. Each says what is wrong in words that may be
/// shown to whoever gave the URL.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The URL, here or of a redirect, is not one that can be followed.
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The method is not one, or not one for this client.
    Method {
        /// The method that was given.
        method: String,
    },
    /// A header cannot be sent.
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address in the URL is not public, and nobody has opened it.
    Address {
        /// The address.
        address: IpAddr,
        /// Why it is not public.
        kind: Kind,
    },
    /// No address of the host is public, and nobody has opened one. Which ones
    /// it has is the network's own affair, so it is not said.
    Host {
        /// The name.
        host: String,
        /// Why the first of its addresses is not public.
        kind: Kind,
    },
    /// The name has no address, or the name service does not answer.
    NoAddress {
        /// The name.
        host: String,
    },
    /// There is no connection to the host, or no secure one.
    Connect {
        /// The host.
        host: String,
        /// The failure beneath.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The connection broke before the answer was complete.
    Broken {
        /// The host.
        host: String,
        /// The failure beneath.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The answer was not complete in time.
    Timeout {
        /// The time it had.
        limit: Duration,
    },
    /// The body of the answer is too long.
    TooLarge {
        /// How long it may be, in bytes.
        limit: usize,
    },
    /// One redirect led to the next too often.
    TooManyRedirects {
        /// How many are followed.
        limit: u8,
    },
    /// The client could not be set up.
    Setup(Box<dyn error::Error + Send + Sync>),
}

impl Error {
    /// Whether the same request may do better later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NoAddress { .. }
                | Self::Connect { .. }
                | Self::Broken { .. }
                | Self::Timeout { .. }
        )
    }

    pub(crate) fn url(reason: impl Into<String>) -> Self {
        Self::Url {
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALLOW: &str = "an operator can allow it with egress_allow";
        match self {
            Self::Url { reason } => write!(f, "the URL cannot be followed: {reason}"),
            Self::Method { method } => {
                write!(f, "the method `{}` cannot be used", method.escape_debug())
            }
            Self::Header { name, reason } => {
                write!(f, "the header `{}` {reason}", name.escape_debug())
            }
            Self::Address { address, kind } => write!(
                f,
                "the address {address} is not reachable from pipelines: it is {kind}; {ALLOW}"
            ),
            Self::Host { host, kind } => write!(
                f,
                "the host {host} is not reachable from pipelines: its address is {kind}; {ALLOW}"
            ),
            Self::NoAddress { host } => write!(f, "the host {host} has no address"),
            Self::Connect { host, .. } => write!(f, "the host {host} cannot be connected to"),
            Self::Broken { host, .. } => {
                write!(f, "the host {host} broke off its answer")
            }
            Self::Timeout { limit } => {
                write!(f, "the answer was not complete within {limit:?}")
            }
            Self::TooLarge { limit } => write!(f, "the answer is longer than {limit} bytes"),
            Self::TooManyRedirects { limit } => {
                write!(f, "the answer is behind more than {limit} redirects")
            }
            Self::Setup(_) => f.write_str("the HTTP client cannot be set up"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Connect { source, .. } | Self::Broken { source, .. } | Self::Setup(source) => {
                Some(source.as_ref())
            }
            _ => None,
        }
    }
}
