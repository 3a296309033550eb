//! What goes wrong with NATS.

use std::{error, fmt, time::Duration};

use archesai_platform as platform;
use async_nats::{
    error::Error as KindError,
    jetstream::{
        consumer::StreamErrorKind,
        context::{CreateStreamErrorKind, GetStreamErrorKind, PublishErrorKind},
        stream::ConsumerErrorKind,
    },
};

/// Why settings are not usable. Says nothing of the credentials in them.
#[derive(Debug)]
pub enum OpenError {
    /// An address is not one of a NATS server.
    Url {
        /// Which of them, from 1.
        position: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The prefix is not a word that names of streams and subjects may begin with.
    Prefix,
    /// The certificates to trust are not usable.
    Certificates(archesai_tls::Error),
    /// The credentials are not the text of a `.creds` file.
    Credentials,
    /// The client cannot begin to connect.
    Client(async_nats::ConnectError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { position, reason } => {
                write!(f, "NATS address {position} is not usable: {reason}")
            }
            Self::Prefix => f.write_str(
                "the prefix of NATS subjects is not made of letters, digits, `-` and `_`",
            ),
            Self::Certificates(error) => write!(f, "TLS to NATS is not possible: {error}"),
            Self::Credentials => f.write_str("the NATS credentials are not those of a .creds file"),
            Self::Client(_) => f.write_str("the NATS client cannot begin to connect"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Certificates(source) => Some(source),
            Self::Client(source) => Some(source),
            Self::Url { .. } | Self::Prefix | Self::Credentials => None,
        }
    }
}

/// Why NATS did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// There is no connection.
    NotConnected {
        /// How the last try to make one failed.
        last: Option<String>,
    },
    /// No answer came within the time.
    TimedOut(Duration),
    /// Somebody waited in vain a moment ago.
    Silent,
    /// The stream of events cannot be made or read.
    Stream(Box<dyn error::Error + Send + Sync>),
    /// The event was not kept.
    Publish(KindError<PublishErrorKind>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected { last: Some(last) } => {
                write!(f, "there is no connection to NATS: {last}")
            }
            Self::NotConnected { last: None } => f.write_str("there is no connection to NATS"),
            Self::TimedOut(limit) => write!(f, "NATS did not answer within {limit:?}"),
            Self::Silent => f.write_str("NATS did not answer a moment ago"),
            Self::Stream(_) => f.write_str("the stream of events in NATS is not usable"),
            Self::Publish(_) => f.write_str("NATS did not keep the event"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Stream(source) => Some(source.as_ref()),
            Self::Publish(source) => Some(source),
            Self::NotConnected { .. } | Self::TimedOut(_) | Self::Silent => None,
        }
    }
}

impl From<Error> for platform::Error {
    fn from(error: Error) -> Self {
        Self::unavailable(error)
    }
}

/// Errors of what is done with the stream, which nobody distinguishes.
macro_rules! of_stream {
    ($($kind:ty),*) => {$(
        impl From<KindError<$kind>> for Error {
            fn from(error: KindError<$kind>) -> Self {
                Self::Stream(Box::new(error))
            }
        }
    )*};
}

of_stream!(
    CreateStreamErrorKind,
    GetStreamErrorKind,
    ConsumerErrorKind,
    StreamErrorKind
);
