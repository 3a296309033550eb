//! What to connect to: a server, or a cluster of them.

use std::{borrow::Cow, time::Duration};

use archesai_tls::Trust;
use deadpool_redis::{
    cluster::ClusterClient,
    redis::{
        AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
        RedisResult, TlsCertificates, cluster::ClusterConfig, io::tcp::TcpSettings,
    },
};

use crate::{Settings, SettingsError, link::Link};

/// How many commands may wait to be written before whoever sends another one waits too.
const QUEUE: usize = 1024;

/// How long sent bytes may remain unacknowledged before a connection counts as lost.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Redis, as it can be connected to.
pub(crate) enum Target {
    /// One server.
    Alone(Box<Client>),
    /// Servers that share the keys.
    Cluster(Box<ClusterClient>),
}

impl Target {
    /// Makes sense of the settings.
    pub(crate) fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if settings.prefix.is_empty() || !settings.prefix.chars().all(is_plain) {
            return Err(SettingsError::Prefix);
        }
        let addresses: Vec<_> = settings.url.split(',').map(parse).collect();
        let addresses: Vec<_> = addresses.into_iter().collect::<Result<_, _>>()?;
        let is_cluster = addresses.len() > 1 || addresses.iter().any(|(_, cluster)| *cluster);
        let mut nodes: Vec<_> = addresses.into_iter().map(|(node, _)| node).collect();
        let certificates = certificates(settings, &nodes)?;
        if is_cluster {
            let client = cluster(settings, nodes, certificates)?;
            Ok(Self::Cluster(Box::new(client)))
        } else {
            let node = nodes.remove(0).set_tcp_settings(tcp());
            let client = match certificates {
                Some(certificates) => Client::build_with_tls(node, certificates),
                None => Client::open(node),
            };
            let client = client.map_err(SettingsError::Url)?;
            Ok(Self::Alone(Box::new(client)))
        }
    }

    /// Connects. Each answer may take so long.
    pub(crate) async fn link(&self, patience: Duration) -> RedisResult<Link> {
        match self {
            Self::Alone(client) => {
                // Whoever connects sees to the time that takes.
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(Some(patience))
                    .set_pipeline_buffer_size(QUEUE);
                let connecting = client.get_multiplexed_async_connection_with_config(&config);
                connecting.await.map(Link::Alone)
            }
            Self::Cluster(client) => {
                let config = ClusterConfig::new().set_response_timeout(patience);
                let connecting = client.get_async_connection_with_config(config);
                connecting.await.map(Link::Cluster)
            }
        }
    }
}

/// An address, and whether it says that it is that of a cluster.
fn parse(url: &str) -> Result<(ConnectionInfo, bool), SettingsError> {
    let url = url.trim();
    let (url, options) = url.split_once('?').unwrap_or((url, ""));
    let is_cluster = match options {
        "" => false,
        "cluster=true" => true,
        _ => return Err(SettingsError::Option),
    };
    let node = url.into_connection_info().map_err(SettingsError::Url)?;
    match node.addr() {
        // Only written as a fragment, and not offered.
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(SettingsError::Option),
        _ => Ok((node, is_cluster)),
    }
}

/// Who vouches for the servers, if any connection to them is encrypted.
fn certificates(
    settings: &Settings,
    nodes: &[ConnectionInfo],
) -> Result<Option<TlsCertificates>, SettingsError> {
    let is_encrypted = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
    if !nodes.iter().any(is_encrypted) {
        return Ok(None);
    }
    if !nodes.iter().all(is_encrypted) {
        return Err(SettingsError::Mixed);
    }
    archesai_tls::install();
    let roots = match &settings.root_certificates {
        Some(pem) => {
            archesai_tls::client_config(Trust::Roots(pem)).map_err(SettingsError::Certificates)?;
            Cow::Borrowed(pem)
        }
        None => Cow::Owned(archesai_tls::machine_roots()),
    };
    Ok(Some(TlsCertificates {
        client_tls: None,
        root_cert: Some(roots.as_bytes().to_vec()),
    }))
}

fn cluster(
    settings: &Settings,
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
) -> Result<ClusterClient, SettingsError> {
    // Enough to follow a key that has moved. Whoever asked has gone soon.
    let mut builder = ClusterClient::builder(nodes)
        .retries(2)
        .min_retry_wait(1)
        .max_retry_wait(10)
        .connection_timeout(settings.connect_timeout / 2)
        .overall_response_timeout(None)
        .tcp_settings(tcp());
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build().map_err(SettingsError::Url)
}

/// Commands leave at once; those of a connection that was given up do not arrive later.
fn tcp() -> TcpSettings {
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_linger_time(Duration::ZERO);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, SettingsError> {
        Target::of(&Settings::new(url, 1))
    }

    #[test]
    fn several_addresses_are_a_cluster() {
        for (url, is_cluster) in [
            ("redis://a", false),
            ("redis://user:pass@a:6379/2", false),
            ("rediss://a", false),
            ("redis://a?cluster=true", true),
            ("redis://a,redis://b", true),
            ("rediss://:pass@a:1, rediss://:pass@b:2", true),
        ] {
            let target = target(url).unwrap();
            assert_eq!(matches!(target, Target::Cluster(_)), is_cluster, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "",
            "a:6379",
            "http://:secret@a",
            "redis://:secret@a:port",
            "redis://:secret@a/name",
            "redis://:secret@a?cluster=yes",
            "rediss://:secret@a/#insecure",
            "redis://:secret@a,rediss://:secret@b",
            "redis://:secret@a,redis://:other@b",
            "redis://:secret@a,",
        ] {
            let Err(error) = target(url) else {
                panic!("{url:?} is no address");
            };
            let said = format!("{error} {error:?} {:?}", Settings::new(url, 1));
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn prefixes_are_plain() {
        for prefix in ["", "a*", "{a}", "a b"] {
            let mut settings = Settings::new("redis://a", 1);
            settings.prefix = prefix.to_owned();
            assert!(matches!(Target::of(&settings), Err(SettingsError::Prefix)));
        }
    }

    #[test]
    fn root_certificates_must_be_usable() {
        let mut settings = Settings::new("rediss://a", 1);
        settings.root_certificates = Some("none".to_owned());
        let refused = Target::of(&settings).err().unwrap();
        assert!(matches!(refused, SettingsError::Certificates(_)));
    }
}
