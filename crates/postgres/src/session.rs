//! Connections and the pool of them.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, QueueMode, RecycleError, RecycleResult,
};
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, pooled_connection::PoolableConnection as _};
use tokio_postgres::{Client, Config, Connection, Socket, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{settings, settings::Settings, sql::Sql, task::Failure, tls};

/// How often is looked for connections that nobody needs, and how long one must have had nothing
/// to do.
const REST: Duration = Duration::from_secs(30);

/// For whom a statement works: what row-level security lets it see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nobody: it sees only what belongs to no tenant.
    Nobody,
    /// One tenant.
    Tenant(u128),
    /// The platform itself: it sees all.
    System,
}

impl Scope {
    /// The statement that says so, for the rest of the transaction or until somebody else does.
    pub(crate) fn declare(self, in_transaction: bool) -> Sql {
        let (organization, system) = match self {
            Self::Nobody => (String::new(), ""),
            Self::Tenant(id) => (format!("{id:032x}"), ""),
            Self::System => (String::new(), "on"),
        };
        Sql::new(
            "SELECT set_config('archesai.organization', $1, $3), \
             set_config('archesai.system', $2, $3)",
        )
        .bind::<Text, _>(organization)
        .bind::<Text, _>(system)
        .bind::<Bool, _>(in_transaction)
    }
}

/// A connection, and what is known of it.
pub(crate) struct Session {
    pub(crate) link: AsyncPgConnection,
    /// For whom its statements work outside of transactions, as far as is known.
    pub(crate) scope: Option<Scope>,
    /// Whether something was begun on it that did not come to its end.
    pub(crate) is_busy: bool,
}

impl Session {
    /// Whether it can be used by somebody else.
    pub(crate) fn is_usable(&mut self) -> bool {
        !self.is_busy && !self.link.is_broken()
    }
}

/// A connection that is lent.
pub(crate) type Lent = Object<Connector>;

/// A connection, and what must be polled for it to do anything.
type Raw = (
    Client,
    Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>,
);

/// Makes connections.
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    lifetime: Duration,
}

impl Connector {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let (config, encryption) = settings::parse(&settings.url)?;
        Ok(Self {
            config,
            tls: tls::connector(encryption, settings.root_certificates.as_deref())?,
            lifetime: settings.lifetime,
        })
    }

    /// The role that connects.
    pub(crate) fn role(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// Makes a connection that hears what others say.
    pub(crate) async fn connect_raw(&self) -> Result<Raw, Failure> {
        Ok(self.config.connect(self.tls.clone()).await?)
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self) -> Result<AsyncPgConnection, Failure> {
        let (client, connection) = self.connect_raw().await?;
        Ok(AsyncPgConnection::try_from_client_and_connection(client, connection).await?)
    }
}

impl Manager for Connector {
    type Type = Session;
    type Error = Failure;

    async fn create(&self) -> Result<Session, Failure> {
        Ok(Session {
            link: self.connect().await?,
            scope: Some(Scope::Nobody),
            is_busy: false,
        })
    }

    /// Looks without asking the server, which would cost a round trip each time.
    async fn recycle(&self, session: &mut Session, metrics: &Metrics) -> RecycleResult<Failure> {
        if !session.is_usable() {
            return Err(RecycleError::message("it is broken"));
        }
        if metrics.age() > self.lifetime {
            return Err(RecycleError::message("it is old"));
        }
        Ok(())
    }
}

/// A pool of connections. The one that was used last is used next, so that those that are not
/// needed can be told.
pub(crate) fn pool(settings: &Settings) -> Result<Arc<Pool<Connector>>, Failure> {
    let config = PoolConfig {
        max_size: settings.max_connections.max(1),
        queue_mode: QueueMode::Lifo,
        ..PoolConfig::default()
    };
    let pool = Pool::builder(Connector::new(settings)?)
        .config(config)
        .build()?;
    let pool = Arc::new(pool);
    tokio::spawn(close_idle(Arc::downgrade(&pool), settings.idle_connections));
    Ok(pool)
}

/// Closes connections that have had nothing to do for a while, but for a few.
async fn close_idle(pool: Weak<Pool<Connector>>, keep: usize) {
    loop {
        tokio::time::sleep(REST).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut surplus = pool.status().size.saturating_sub(keep);
        pool.retain(|_, metrics| {
            let is_kept = surplus == 0 || metrics.last_used() < REST;
            surplus -= usize::from(!is_kept);
            is_kept
        });
    }
}
