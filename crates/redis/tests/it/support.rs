//! What the tests share: settings of their own on the servers there are, and patience.

use std::{future::Future, net::SocketAddr, time::Duration};

use archesai_conformance::servers::told;
use archesai_redis::{Redis, Settings};
use uuid::Uuid;

/// How soon everything must be as before once a fault is over.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

/// Values and keys of tests: they need not be of any domain.
pub(crate) type Cache = archesai_redis::RedisCache<u32, String>;

#[expect(
    clippy::disallowed_methods,
    reason = "a test stands outside the system"
)]
fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// Settings of one node of a system of its own. A test that shares the machine with others gets
/// answers in time all the same.
pub(crate) fn settings(url: String) -> Settings {
    let node = fresh();
    Settings {
        prefix: format!("test-{node}"),
        command_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        ..Settings::new(url, node.as_u128())
    }
}

/// The settings of another node of the same system.
pub(crate) fn another(settings: &Settings) -> Settings {
    Settings {
        node: fresh().as_u128(),
        ..settings.clone()
    }
}

pub(crate) fn alone() -> String {
    told("ARCHESAI_TEST_REDIS_URL")
}

pub(crate) fn cluster() -> String {
    told("ARCHESAI_TEST_REDIS_CLUSTER_URLS")
}

/// Where a server is, by its URL.
pub(crate) fn address(url: &str) -> SocketAddr {
    url.strip_prefix("redis://").unwrap().parse().unwrap()
}

pub(crate) async fn connect(settings: Settings) -> Redis {
    let redis = Redis::connect(settings).await.unwrap();
    redis.check().await.unwrap();
    redis
}

/// Waits until something is so, for as long as recovery may take.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waiting = tokio::time::timeout(RECOVERY, waiting);
    assert!(waiting.await.is_ok(), "{what}");
}
