//! Where NATS is and how it is used.

use std::{fmt, time::Duration};

use archesai_tls::Trust;
use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::OpenError;

/// How long to wait between asking a silent server whether it is there. After the third time
/// without an answer the connection counts as lost.
const PING: Duration = Duration::from_secs(1);

/// The longest time between two tries to connect.
const RECONNECT: Duration = Duration::from_secs(1);

/// Where NATS is and how it is used.
#[derive(Clone)]
pub struct Settings {
    /// Addresses of servers of one cluster, with commas between: `nats://host:4222`, or `tls://…`
    /// which insists on encryption. A user and password, or a token, may stand before the host.
    pub urls: String,
    /// The text of a `.creds` file, for servers that want one.
    pub credentials: Option<String>,
    /// The certificates (PEM) that vouch for the servers, in place of those this machine trusts.
    pub root_certificates: Option<String>,
    /// Encrypts before the server has said a word, for servers that are set to `handshake_first`.
    pub tls_first: bool,
    /// What the names of subjects and of the stream begin with. Nodes that share it are one
    /// system.
    pub prefix: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// On how many servers of the cluster each event is kept.
    pub replicas: usize,
    /// How long events are kept for consumers that are away.
    pub max_age: Duration,
}

impl Settings {
    /// The usual settings.
    pub fn new(urls: impl Into<String>) -> Self {
        Self {
            urls: urls.into(),
            credentials: None,
            root_certificates: None,
            tls_first: false,
            prefix: "archesai".to_owned(),
            timeout: Duration::from_secs(1),
            replicas: 1,
            max_age: Duration::from_hours(24 * 7),
        }
    }

    /// Checks everything that can be checked without a server.
    pub(crate) fn options(&self) -> Result<(Vec<ServerAddr>, ConnectOptions), OpenError> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if self.prefix.is_empty() || !self.prefix.bytes().all(is_word) {
            return Err(OpenError::Prefix);
        }
        let trust = self.root_certificates.as_deref();
        let tls = archesai_tls::client_config(trust.map_or(Trust::Machine, Trust::Roots))
            .map_err(OpenError::Certificates)?;
        let mut options = ConnectOptions::new()
            .name("archesai")
            .retry_on_initial_connect()
            .connection_timeout(2 * self.timeout)
            .request_timeout(Some(self.timeout))
            .ping_interval(PING)
            .reconnect_delay_callback(delay)
            .tls_client_config(tls);
        if self.tls_first {
            options = options.tls_first();
        }
        if let Some(credentials) = &self.credentials {
            let with = options.credentials(credentials);
            options = with.map_err(|_| OpenError::Credentials)?;
        }
        let mut servers = Vec::new();
        for (at, url) in self.urls.split(',').enumerate() {
            let (server, login) = parse(url.trim()).map_err(|reason| OpenError::Url {
                position: at + 1,
                reason,
            })?;
            servers.push(server);
            options = match login {
                Login::None => options,
                Login::Token(token) => options.token(token),
                Login::Password(user, password) => options.user_and_password(user, password),
            };
        }
        Ok((servers, options))
    }
}

/// How long to wait before a try to connect, of which there were so many in a row.
fn delay(tries: usize) -> Duration {
    let doublings = u32::try_from(tries).unwrap_or(u32::MAX).min(10);
    let delay = Duration::from_millis(1 << doublings);
    if tries <= 1 {
        Duration::ZERO
    } else {
        delay.min(RECONNECT)
    }
}

/// What an address says of who connects.
#[derive(Debug, PartialEq, Eq)]
enum Login {
    None,
    Token(String),
    Password(String, String),
}

/// Takes an address apart. What is left of it may be logged.
fn parse(url: &str) -> Result<(ServerAddr, Login), String> {
    let server: ServerAddr = url.parse().map_err(|_| "it is no URL".to_owned())?;
    if !matches!(server.scheme(), "nats" | "tls") {
        return Err("it begins with neither `nats://` nor `tls://`".to_owned());
    }
    if server.host().is_empty() {
        return Err("it names no host".to_owned());
    }
    let login = match (server.username(), server.password()) {
        (None, None) => Login::None,
        (None, Some(_)) => return Err("it has a password and no user".to_owned()),
        (Some(token), None) => Login::Token(decode(token)?),
        (Some(user), Some(password)) => Login::Password(decode(user)?, decode(password)?),
    };
    let mut bare = server.into_inner();
    if !matches!(bare.path(), "" | "/") || bare.query().is_some() || bare.fragment().is_some() {
        return Err("something comes after the port".to_owned());
    }
    let removed = bare.set_username("").and(bare.set_password(None));
    removed.map_err(|()| "it can have no user".to_owned())?;
    let server = ServerAddr::from_url(bare).map_err(|_| "it is no URL".to_owned())?;
    Ok((server, login))
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| "its credentials are not UTF-8".to_owned())?
        .into_owned())
}

impl fmt::Debug for Settings {
    /// Says how NATS is used, and nothing of who uses it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("replicas", &self.replicas)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_who() {
        let (server, login) = parse("nats://zo%C3%AB:p%40ss@example.com:4333").unwrap();
        assert_eq!(login, Login::Password("zoë".into(), "p@ss".into()));
        assert_eq!((server.host(), server.port()), ("example.com", 4333));
        assert!(!server.as_url_str().contains("ss@"));
        let (server, login) = parse("tls://token@[::1]").unwrap();
        assert_eq!(login, Login::Token("token".into()));
        assert_eq!((server.host(), server.port()), ("::1", 4222));
        assert!(server.tls_required());
        assert_eq!(parse("example.com").unwrap().1, Login::None);
    }

    #[test]
    fn a_wrong_address_is_told_without_its_secrets() {
        for wrong in [
            "",
            "nats://",
            "http://user:secret@host",
            "nats://user:secret@host/path",
            "nats://user:secret@host:99999",
            "nats://:secret@host",
            "nats:/user:secret@host",
            "nats://user:%ff@host",
        ] {
            let settings = Settings::new(format!("nats://fine,{wrong}"));
            let refused = settings.options().expect_err(wrong);
            let said = format!("{refused} {refused:?} {settings:?}");
            assert!(said.contains("NATS address 2"), "{wrong}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn a_prefix_is_one_word() {
        for prefix in ["", "a.b", "a b", "a*", ">", "ä"] {
            let settings = Settings {
                prefix: prefix.to_owned(),
                ..Settings::new("localhost")
            };
            let refused = settings.options().expect_err(prefix);
            assert!(matches!(refused, OpenError::Prefix), "{refused}");
        }
    }

    #[test]
    fn tries_to_connect_are_a_second_apart_at_most() {
        let delays: Vec<_> = (0..30).map(delay).collect();
        assert_eq!(delays[..2], [Duration::ZERO; 2]);
        assert!(delays.is_sorted());
        assert_eq!(delays[29], RECONNECT);
    }
}
