//! Two nodes of one system: one that a fault can come between and Redis, one that sees what is
//! there.

use std::time::{Duration, Instant};

use archesai_auth::Cache as _;
use archesai_conformance::fault_proxy::{Fault, FaultProxy};
use archesai_redis::{Redis, Settings};

use crate::support::{Cache, address, alone, another, connect, settings, until};

/// How long a value is kept.
pub(crate) const LONG: Duration = Duration::from_hours(1);

/// How long anything may take, with a command timeout of 100 ms.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

pub(crate) struct Distant {
    pub(crate) proxy: FaultProxy,
    pub(crate) far: Redis,
    pub(crate) near: Redis,
    pub(crate) prefix: String,
}

impl Distant {
    /// On one server.
    pub(crate) async fn new() -> Self {
        let this = Self::before(Fault::None, &alone(), "", &alone()).await;
        this.recovered().await;
        this
    }

    /// With a fault from the start, between the distant node and a server that may be of a
    /// cluster; the near one has an address of its own.
    pub(crate) async fn before(fault: Fault, server: &str, options: &str, near: &str) -> Self {
        let proxy = FaultProxy::start(address(server)).await;
        proxy.set(fault).await;
        let near = settings(near.to_owned());
        let distant = Settings {
            url: format!("redis://{}{options}", proxy.address()),
            command_timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_secs(1),
            ..another(&near)
        };
        Self {
            far: Redis::connect(distant).await.unwrap(),
            prefix: near.prefix.clone(),
            near: connect(near).await,
            proxy,
        }
    }

    /// The same cache as each node sees it.
    pub(crate) fn caches(&self) -> [Cache; 2] {
        [self.far.cache("some"), self.near.cache("some")]
    }

    /// Makes it so bad that Redis is given up.
    pub(crate) async fn lose(&self, fault: Fault) {
        self.proxy.set(fault).await;
        let [cache, _] = self.caches();
        until("it is given up", async || {
            let begun = Instant::now();
            assert!(cache.get(&0).await.is_err());
            assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
            !self.far.is_connected()
        })
        .await;
    }

    pub(crate) async fn mend(&self) {
        self.proxy.set(Fault::None).await;
        self.recovered().await;
    }

    async fn recovered(&self) {
        let is_there = async || self.far.check().await.is_ok();
        until("it is back", is_there).await;
    }
}

/// What networks and machines do.
pub(crate) fn faults() -> [Fault; 3] {
    let slow = Fault::Slow {
        latency: Duration::from_millis(300),
        bytes_per_second: 1_000_000,
    };
    [Fault::Refuse, Fault::BlackHole, slow]
}
