//! Where the database is and how it is used.

use std::{fmt, time::Duration};

use tokio_postgres::Config;

use crate::task::Failure;

/// How long a connection may be silent before the kernel asks whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long sent bytes may remain unacknowledged before a connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);

/// What the server is told to do by itself: stop statements that take longer than any of ours
/// should, and those whose client is gone, and end transactions whose client has fallen asleep in
/// them, since they keep others out. In milliseconds.
const OPTIONS: &str = "-c statement_timeout=120000 -c client_connection_check_interval=1000 \
    -c idle_in_transaction_session_timeout=10000";

/// Where the database is, and how many connections to it to keep.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database?sslmode=…`, with `sslmode` one of `disable`,
    /// `prefer` (the default), `require` (encrypted, to whomever) and `verify-full` (encrypted, to
    /// the host of that name).
    pub url: String,
    /// The same of its replicas, which are read where a call may lag.
    pub replica_urls: Vec<String>,
    /// How far behind a replica may be to be read.
    pub replica_max_lag: Duration,
    /// The certificates (PEM) that vouch for the server under `verify-full`, in place of those of
    /// the public authorities.
    pub root_certificates: Option<String>,
    /// At most so many connections at once.
    pub max_connections: usize,
    /// So many connections are kept when there is nothing to do.
    pub idle_connections: usize,
    /// How long a connection is used before it is replaced.
    pub lifetime: Duration,
    /// Whose clock leases go by.
    pub lease_clock: LeaseClock,
    /// The vectors of a tenant that has no more than so many are compared one by one. Of others the
    /// index is asked, which is faster and may miss a few.
    pub exact_search_up_to: u32,
}

/// Whose clock leases go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's: one for all nodes, whatever their own clocks say.
    Database,
    /// That of whoever calls, for tests that set the time.
    Caller,
}

impl Settings {
    /// The usual settings.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replica_urls: Vec::new(),
            replica_max_lag: Duration::from_secs(5),
            root_certificates: None,
            max_connections: 25,
            idle_connections: 5,
            lifetime: Duration::from_mins(5),
            lease_clock: LeaseClock::Database,
            exact_search_up_to: 10_000,
        }
    }
}

impl fmt::Debug for Settings {
    /// Says where the database is, and not the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("place", &place(&self.url))
            .field("max_connections", &self.max_connections)
            .field("idle_connections", &self.idle_connections)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// As the URL says, without a look at who answers.
    Unverified,
    /// Only to the host of the name in the URL.
    Verified,
}

/// Reads a URL. The client knows no `verify-full`: to it this is `require`.
pub(crate) fn parse(url: &str) -> Result<(Config, Encryption), Failure> {
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let mut encryption = Encryption::Unverified;
    let mut kept = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter {
            "sslmode=verify-full" => {
                encryption = Encryption::Verified;
                kept.push("sslmode=require");
            }
            "sslmode=disable" | "sslmode=prefer" | "sslmode=require" => kept.push(parameter),
            other if other.starts_with("sslmode=") => {
                return Err(
                    "sslmode must be one of disable, prefer, require and verify-full".into(),
                );
            }
            other => kept.push(other),
        }
    }
    let mut config: Config = format!("{before}?{}", kept.join("&"))
        .parse()
        .map_err(|error| format!("the URL is not one of postgres: {}", cause_of(&error)))?;
    if config.get_hosts().is_empty() {
        return Err("the URL names no host".into());
    }
    let options = config.get_options().unwrap_or_default();
    let options = format!("{OPTIONS} {options}");
    config
        .options(options)
        .connect_timeout(CONNECT)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE)
        .keepalives_retries(2)
        .tcp_user_timeout(UNACKNOWLEDGED);
    if config.get_application_name().is_none() {
        config.application_name("archesai");
    }
    Ok((config, encryption))
}

/// What is underneath an error: the errors of the client alone say little.
fn cause_of(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// The part of a URL that may be shown: host, port and database.
pub(crate) fn place(url: &str) -> String {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let without_parameters = without_scheme.split('?').next().unwrap_or_default();
    let place = without_parameters.rsplit('@').next().unwrap_or_default();
    place.to_owned()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    #[test]
    fn the_mode_of_encryption_is_read() {
        for (parameter, mode, encryption) in [
            ("", SslMode::Prefer, Encryption::Unverified),
            ("?sslmode=disable", SslMode::Disable, Encryption::Unverified),
            (
                "?application_name=x&sslmode=require",
                SslMode::Require,
                Encryption::Unverified,
            ),
            (
                "?sslmode=verify-full&application_name=x",
                SslMode::Require,
                Encryption::Verified,
            ),
        ] {
            let (config, found) = parse(&format!("postgres://u:p@h:1/d{parameter}")).unwrap();
            assert_eq!(
                (config.get_ssl_mode(), found),
                (mode, encryption),
                "{parameter}"
            );
        }
        assert!(parse("postgres://h/d?sslmode=verify-ca").is_err());
    }

    #[test]
    fn what_is_no_url_is_refused_without_showing_it() {
        for url in [
            "",
            "file:secret",
            "postgres://u:secret@h:99999/d",
            "postgres:///d",
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_place_is_shown_without_the_password() {
        assert_eq!(place("postgres://u:p@ss@h:1/d?password=x"), "h:1/d");
        assert!(!format!("{:?}", Settings::new("postgres://u:hidden@h/d")).contains("hidden"));
    }
}
