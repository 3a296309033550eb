//! The database that the configuration names.

use std::time::SystemTime;

use archesai_http::erased::{AnyHistory, AnyIdempotencyKeys};
use archesai_platform::gauges::{Backlog, Connections};

use crate::{
    config::Config,
    erased::{
        auth, content, organizations,
        platform::{AnyChanges, AnyDataKeys, AnyOutbox, AnyTrail},
        workflows,
    },
};

/// An open database.
pub(crate) enum Database {
    /// A file in the data folder.
    Sqlite(archesai_sqlite::Database),
    /// A server.
    Postgres(archesai_postgres::Database),
}

/// The repositories of a context, whichever database they are in.
macro_rules! store {
    ($self:expr, $any:path) => {
        match $self {
            Self::Sqlite(database) => <$any>::new(database.store()),
            Self::Postgres(database) => <$any>::new(database.store()),
        }
    };
}

impl Database {
    /// Brings the tables up to date where that is ours to do, and opens the database.
    ///
    /// # Errors
    ///
    /// If it does not answer, or is not as it must be.
    pub(crate) async fn open(config: &Config, roots: Option<&String>) -> anyhow::Result<Self> {
        let Some(server) = postgres(config, roots, config.database_url.as_ref()) else {
            anyhow::ensure!(
                config.database_replica_urls.is_empty(),
                "database_replica_urls names replicas of database_url, which is not set"
            );
            let path = config.data_dir.join("archesai.db");
            let database = archesai_sqlite::Database::open(&path, config.database_readers);
            return Ok(Self::Sqlite(database.await?));
        };
        if let Some(owner) = postgres(config, roots, config.database_owner_url.as_ref()) {
            archesai_postgres::Database::migrate(&owner, &server).await?;
        }
        let server = archesai_postgres::Settings {
            replica_urls: config.database_replica_urls.clone(),
            replica_max_lag: config.database_replica_max_lag,
            ..server
        };
        Ok(Self::Postgres(
            archesai_postgres::Database::open(&server).await?,
        ))
    }

    /// Asks it whether it answers.
    pub(crate) async fn check(&self) -> archesai_platform::Result<()> {
        match self {
            Self::Sqlite(database) => database.check().await,
            Self::Postgres(database) => database.check().await,
        }
    }

    /// Why each of its replicas is passed over, if it is.
    pub(crate) fn replicas(&self) -> Vec<Option<archesai_postgres::Fault>> {
        match self {
            Self::Sqlite(_) => Vec::new(),
            Self::Postgres(database) => database.replicas(),
        }
    }

    /// How busy the connections to it are.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        match self {
            Self::Sqlite(database) => database.connections().to_vec(),
            Self::Postgres(database) => database.connections(),
        }
    }

    /// How much waits to be done.
    pub(crate) async fn backlog(&self, now: SystemTime) -> archesai_platform::Result<Backlog> {
        match self {
            Self::Sqlite(database) => database.backlog(now).await,
            Self::Postgres(database) => database.backlog(now).await,
        }
    }

    pub(crate) fn auth_store(&self) -> auth::AnyStore {
        store!(self, auth::AnyStore)
    }

    pub(crate) fn organizations_store(&self) -> organizations::AnyStore {
        store!(self, organizations::AnyStore)
    }

    pub(crate) fn content_store(&self) -> content::AnyStore {
        store!(self, content::AnyStore)
    }

    pub(crate) fn workflows_store(&self) -> workflows::AnyStore {
        store!(self, workflows::AnyStore)
    }

    pub(crate) fn outbox(&self) -> AnyOutbox {
        store!(self, AnyOutbox)
    }

    pub(crate) fn trail(&self) -> AnyTrail {
        store!(self, AnyTrail)
    }

    /// Makes room for what will be appended to the event log, where that is to be made.
    pub(crate) async fn tend_events(&self) -> archesai_platform::Result<u64> {
        match self {
            Self::Sqlite(_) => Ok(0),
            Self::Postgres(database) => database.tend_events().await,
        }
    }

    pub(crate) fn changes(&self) -> AnyChanges {
        store!(self, AnyChanges)
    }

    pub(crate) fn history(&self) -> AnyHistory {
        store!(self, AnyHistory)
    }

    pub(crate) fn data_keys(&self) -> AnyDataKeys {
        store!(self, AnyDataKeys)
    }

    pub(crate) fn idempotency_keys(&self) -> AnyIdempotencyKeys {
        store!(self, AnyIdempotencyKeys)
    }
}

/// How a Postgres is reached at a URL, if there is one.
fn postgres(
    config: &Config,
    roots: Option<&String>,
    url: Option<&String>,
) -> Option<archesai_postgres::Settings> {
    Some(archesai_postgres::Settings {
        root_certificates: roots.cloned(),
        max_connections: config.database_max_connections,
        idle_connections: config.database_idle_connections,
        lifetime: config.database_connection_lifetime,
        ..archesai_postgres::Settings::new(url?)
    })
}
