//! Where Redis is and how it is used.

use std::{error, fmt, time::Duration};

use deadpool_redis::redis::RedisError;

/// Where Redis is, and how long to wait for it.
#[derive(Clone)]
pub struct Settings {
    /// `redis://user:password@host:port/database`, or `rediss://` for an encrypted connection.
    /// Several of them with commas between are nodes of one cluster, of which one that is up is
    /// enough to begin with; a cluster behind a single address is `redis://…?cluster=true`.
    pub url: String,
    /// The certificates (PEM) that vouch for the server, in place of those the machine trusts.
    pub root_certificates: Option<String>,
    /// A number that no other process has, so that none hears the wake-ups that it sent itself.
    pub node: u128,
    /// What all keys begin with, so that several systems can share a server: letters, digits,
    /// `-`, `_`, `.` and `:`.
    pub prefix: String,
    /// How long a command may take: many times what one takes in a data centre, and little beside
    /// what a request that has to do without the cache takes in all.
    pub command_timeout: Duration,
    /// How long making a connection may take. Nobody waits for it but whoever starts.
    pub connect_timeout: Duration,
}

impl Settings {
    /// The usual settings.
    pub fn new(url: impl Into<String>, node: u128) -> Self {
        Self {
            url: url.into(),
            root_certificates: None,
            node,
            prefix: "archesai".to_owned(),
            command_timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for Settings {
    /// Says where Redis is, and not the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.url.split(',');
        let places: Vec<_> = addresses.map(|url| url.rsplit(['@', '/']).next()).collect();
        f.debug_struct("Settings")
            .field("places", &places)
            .field("prefix", &self.prefix)
            .field("command_timeout", &self.command_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// Why Redis cannot be used as it is configured.
#[derive(Debug)]
pub enum SettingsError {
    /// An address is none.
    Url(RedisError),
    /// An address asks for what there is not.
    Option,
    /// Some addresses ask for encrypted connections, and some do not.
    Mixed,
    /// The prefix has characters that a prefix may not have, or none.
    Prefix,
    /// The root certificates are not usable.
    Certificates(archesai_tls::Error),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url(_) => {
                "redis is at redis://user:password@host:port, or rediss:// for TLS; the nodes of a \
                 cluster have commas between them"
            }
            Self::Option => "the only option in the address of redis is ?cluster=true",
            Self::Mixed => "either all nodes of a redis cluster are at rediss:// or none",
            Self::Prefix => "keys in redis begin with letters, digits, `-`, `_`, `.` and `:` only",
            Self::Certificates(_) => "the root certificates for redis are not usable",
        })
    }
}

impl error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Url(source) => Some(source),
            Self::Option | Self::Mixed | Self::Prefix => None,
            Self::Certificates(source) => Some(source),
        }
    }
}
