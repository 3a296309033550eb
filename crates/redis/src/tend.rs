//! Gets Redis back when it is lost, and settles what it is owed.

use std::{sync::Arc, time::Duration};

use deadpool_redis::redis::{RedisResult, cmd, from_redis_value};
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use crate::{
    Error,
    circuit::{Circuit, Owed},
    link::{Link, Node},
    pool::Pool,
    target::Target,
};

/// How long to wait before Redis is asked again.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// How long a connection holds that is told of.
const STEADY: Duration = Duration::from_secs(1);

/// How many owed removals are under way at once.
const AT_ONCE: usize = 100;

/// How many keys are looked at in one step when everything is removed.
const STEP: usize = 1000;

/// How long a key that was owed a removal takes no value, in milliseconds: longer than a `put` of
/// before can be on its way. That one may sit in a network that was cut, and arrive after the
/// removal.
const BARRED: u64 = 30_000;

/// Sees to it that there is a connection.
pub(crate) struct Keeper {
    /// Where it belongs.
    pub(crate) circuit: Arc<Circuit<Link>>,
    /// What to connect to.
    pub(crate) target: Target,
    /// Lends a connection to empty caches by.
    pub(crate) pool: Pool,
    /// What all keys begin with that caches have.
    pub(crate) cached: String,
    /// A key, to see whether Redis answers.
    pub(crate) probe: String,
    /// How long a command may take.
    pub(crate) command_timeout: Duration,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
}

impl Keeper {
    /// Keeps a connection, until it is aborted. Somebody has tried to make the first one.
    pub(crate) async fn tend(self, mut revived: Result<(), Error>) {
        let mut is_lost = false;
        loop {
            match revived {
                Ok(()) => is_lost = self.hold(is_lost).await,
                Err(error) if !is_lost => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "redis cannot be reached; it is done without");
                    is_lost = true;
                }
                Err(_) => {}
            }
            sleep(PAUSE).await;
            revived = self.revive().await;
        }
    }

    /// Waits until the connection is lost, which it is from then on. One that never holds for
    /// long is told of once.
    async fn hold(&self, mut is_lost: bool) -> bool {
        if timeout(STEADY, self.circuit.wait(false)).await.is_err() {
            if is_lost {
                tracing::info!("redis answers again");
            }
            is_lost = false;
            self.circuit.wait(false).await;
        }
        if !is_lost {
            tracing::warn!("redis does not answer; it is done without");
        }
        true
    }

    /// Connects, settles what is owed, and lets everybody use the connection.
    pub(crate) async fn revive(&self) -> Result<(), Error> {
        let mut link = timeout(self.connect_timeout, self.connect()).await??;
        timeout(self.command_timeout, self.ask(&mut link)).await??;
        loop {
            let owed = self.circuit.take_owed();
            if let Err(error) = self.settle(&mut link, &owed).await {
                self.circuit.owe_again(owed);
                return Err(error);
            }
            if self.circuit.close(link.clone()) {
                return Ok(());
            }
        }
    }

    async fn connect(&self) -> RedisResult<Link> {
        self.target.link(self.command_timeout).await
    }

    /// Whether commands are answered. A server that loads its data, say, only connects.
    async fn ask(&self, link: &mut Link) -> RedisResult<Option<String>> {
        cmd("GET").arg(&self.probe).query_async(link).await
    }

    async fn settle(&self, link: &mut Link, owed: &Owed) -> Result<(), Error> {
        if owed.everything {
            // Boxed, since it is large, and part of what starts the program.
            let mut link = Box::pin(self.pool.get()).await?;
            let nodes = timeout(self.connect_timeout, link.nodes()).await??;
            for node in nodes {
                self.empty(&mut link, &node).await?;
            }
        }
        let keys: Vec<_> = owed.keys.iter().collect();
        for keys in keys.chunks(AT_ONCE) {
            let removals = keys.iter().map(|key| bar(link.clone(), key));
            timeout(self.connect_timeout, try_join_all(removals)).await??;
        }
        Ok(())
    }

    /// Removes everything that caches have on a server.
    async fn empty(&self, link: &mut Link, node: &Node) -> Result<(), Error> {
        let pattern = format!("{}*", self.cached);
        let mut place = "0".to_owned();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&place).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(STEP);
            let found = timeout(self.connect_timeout, link.ask(node, scan)).await??;
            let (next, keys): (String, Vec<String>) = from_redis_value(found)?;
            for keys in keys.chunks(AT_ONCE) {
                let removals = keys.iter().map(|key| remove(link.clone(), key));
                timeout(self.connect_timeout, try_join_all(removals)).await??;
            }
            if next == "0" {
                return Ok(());
            }
            place = next;
        }
    }
}

/// Removes a value, and bars the key: it is empty for a while.
async fn bar(mut link: Link, key: &str) -> RedisResult<()> {
    let mut bar = cmd("SET");
    bar.arg(key).arg("").arg("PX").arg(BARRED);
    bar.exec_async(&mut link).await
}

async fn remove(mut link: Link, key: &str) -> RedisResult<()> {
    cmd("UNLINK").arg(key).exec_async(&mut link).await
}
