//! Redis, as everything here uses it.

use std::sync::{Arc, OnceLock};

use archesai_bus::{Task, Wakeups};
use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};
use tokio::time::timeout;

use crate::{
    Error, RedisCache, RedisEvents, RedisLimiter, Settings, SettingsError, circuit::Circuit,
    link::Link, listener::Listener, pool::Pool, target::Target, tend::Keeper, wakeups,
};

/// Redis. Its clones are the same one; when the last of them is dropped, and all that came of
/// them, the connections end.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    settings: Settings,
    pool: Pool,
    circuit: Arc<Circuit<Link>>,
    listener: OnceLock<Listener>,
    _keeper: Task,
}

impl Redis {
    /// Connects, on the tokio runtime this is called in. Where Redis cannot be reached within
    /// [`Settings::connect_timeout`], this is no error: it is gone without, and tried again.
    ///
    /// # Errors
    ///
    /// If the settings make no sense.
    pub async fn connect(settings: Settings) -> Result<Self, SettingsError> {
        let target = Target::of(&settings)?;
        let pool = crate::pool::of(&target, &settings)?;
        let circuit = Arc::new(Circuit::new());
        let keeper = Keeper {
            circuit: Arc::clone(&circuit),
            target,
            pool: pool.clone(),
            cached: format!("{}:cache:", settings.prefix),
            probe: format!("{}:probe", settings.prefix),
            command_timeout: settings.command_timeout,
            connect_timeout: settings.connect_timeout,
        };
        let revived = keeper.revive().await;
        Ok(Self(Arc::new(Inner {
            pool,
            listener: OnceLock::new(),
            _keeper: Task::spawn(keeper.tend(revived)),
            circuit,
            settings,
        })))
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn check(&self) -> Result<(), Error> {
        self.run(cmd("GET").arg(self.key("probe")))
            .await
            .map(|_: Option<String>| ())
    }

    /// Whether Redis is in use, and not given up for the moment.
    pub fn is_connected(&self) -> bool {
        self.0.circuit.is_closed()
    }

    /// How many removals from caches wait to be carried out, until when caches know nothing.
    pub fn owed_removals(&self) -> usize {
        self.0.circuit.owed()
    }

    /// A cache. Those of one name are the same one, and must keep the same type of values.
    pub fn cache<K, V>(&self, name: &str) -> RedisCache<K, V> {
        RedisCache::new(self.clone(), name)
    }

    /// Counts requests, together with all other nodes.
    pub fn limiter(&self) -> RedisLimiter {
        RedisLimiter::new(self.clone())
    }

    /// Publishes events to all nodes, and hears those of all.
    pub fn events(&self) -> RedisEvents {
        RedisEvents::new(self.clone())
    }

    /// Wakes whoever waits for something of this name, on any node.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn wakeups(&self, name: &'static str) -> Wakeups {
        wakeups::start(self.clone(), name)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn circuit(&self) -> &Circuit<Link> {
        &self.0.circuit
    }

    /// What hears from others, listening from the first time on that somebody asks for it.
    pub(crate) fn listener(&self) -> &Listener {
        let start = || Listener::start(self.0.pool.clone(), &self.0.settings);
        self.0.listener.get_or_init(start)
    }

    /// A key.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.settings.prefix)
    }

    /// Runs a command, in time or not at all.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let circuit = self.circuit();
        let (mut link, number) = circuit.link().ok_or(Error::OutOfReach)?;
        let answer = command.query_async(&mut link);
        match timeout(self.0.settings.command_timeout, answer).await {
            Ok(Ok(value)) => {
                circuit.succeeded(number);
                Ok(value)
            }
            Ok(Err(error)) => {
                // A cluster sees to the connections to its nodes by itself.
                let is_broken = matches!(link, Link::Alone(_)) && error.is_unrecoverable_error();
                circuit.failed(number, is_broken);
                Err(Error::Failed(error))
            }
            Err(elapsed) => {
                circuit.failed(number, false);
                Err(elapsed.into())
            }
        }
    }
}
