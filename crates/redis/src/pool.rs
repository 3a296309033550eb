//! Connections that are lent to one at a time: to whoever blocks, or takes long.

use deadpool::managed::{self, RecycleResult};
use deadpool_redis::{
    Manager, Metrics, PoolConfig, Runtime, Timeouts,
    cluster::ClusterClient,
    redis::{AsyncConnectionConfig, RedisError, cmd},
};

use crate::{Settings, SettingsError, link::Link, target::Target};

/// How many there are at most: one that listens, and one that empties caches.
const CONNECTIONS: usize = 2;

/// Lends connections. One that was given back is lent again if it still answers.
pub(crate) type Pool = managed::Pool<Maker>;

/// A connection that is given back when this is dropped.
pub(crate) type Lent = managed::Object<Maker>;

/// Makes the connections. Answers may take any time: whoever asks sees to it.
pub(crate) enum Maker {
    /// To one server.
    Alone(Box<Manager>),
    /// To a cluster. The manager of `deadpool_redis` takes no certificates and no timeouts.
    Cluster(Box<ClusterClient>),
}

impl managed::Manager for Maker {
    type Type = Link;
    type Error = RedisError;

    async fn create(&self) -> Result<Link, RedisError> {
        match self {
            Self::Alone(manager) => manager.create().await.map(Link::Alone),
            Self::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
        }
    }

    async fn recycle(&self, link: &mut Link, metrics: &Metrics) -> RecycleResult<RedisError> {
        match (self, link) {
            (Self::Alone(manager), Link::Alone(connection)) => {
                manager.recycle(connection, metrics).await
            }
            (_, link) => Ok(cmd("PING").exec_async(link).await?),
        }
    }
}

/// The pool of a server or a cluster.
pub(crate) fn of(target: &Target, settings: &Settings) -> Result<Pool, SettingsError> {
    let maker = match target {
        Target::Alone(client) => {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None);
            // With the certificates that are in it.
            let server = client.get_connection_info().clone();
            let manager = Manager::new_with_config(server, config);
            Maker::Alone(Box::new(manager.map_err(SettingsError::Url)?))
        }
        Target::Cluster(client) => Maker::Cluster(client.clone()),
    };
    let timeouts = Timeouts {
        wait: Some(settings.connect_timeout),
        create: Some(settings.connect_timeout),
        recycle: Some(settings.command_timeout),
    };
    let config = PoolConfig {
        timeouts,
        ..PoolConfig::new(CONNECTIONS)
    };
    let pool = Pool::builder(maker).config(config);
    let pool = pool.runtime(Runtime::Tokio1).build();
    Ok(pool.expect("a pool with timeouts has a runtime"))
}

#[cfg(test)]
mod tests {
    use archesai_conformance::servers::told;

    use super::*;

    async fn is_lent_again(server: &str) {
        let settings = Settings::new(told(server), 1);
        let pool = of(&Target::of(&settings).unwrap(), &settings).unwrap();
        let first = pool.get().await.unwrap();
        let id = Lent::id(&first);
        let other = pool.get().await.unwrap();
        assert_ne!(Lent::id(&other), id);
        drop(first);
        let mut again = pool.get().await.unwrap();
        assert_eq!(Lent::id(&again), id);
        let get = cmd("GET").arg("test-pool").clone();
        let got: Option<String> = get.query_async(&mut *again).await.unwrap();
        assert_eq!(got, None);
    }

    #[tokio::test]
    async fn what_is_given_back_is_lent_again() {
        is_lent_again("ARCHESAI_TEST_REDIS_URL").await;
    }

    #[tokio::test]
    async fn what_is_given_back_to_a_cluster_is_lent_again() {
        is_lent_again("ARCHESAI_TEST_REDIS_CLUSTER_URLS").await;
    }
}
