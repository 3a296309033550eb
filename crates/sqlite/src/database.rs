//! Opening the database: the pools, their pragmas, and the migrations.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use diesel::{Connection as _, connection::SimpleConnection as _, sqlite::SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::sync::Notify;

use crate::{
    connection::Pool,
    lend::{Failure, Open, Pooled, Sqlite},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// FULL makes every commit durable before it is acknowledged. The cache is in KiB.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; \
    PRAGMA temp_store = MEMORY;";

/// The wait before another look at a database that somebody else sets up.
const AGAIN: Duration = Duration::from_millis(20);

/// How long it is waited for that at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pub(crate) readers: Arc<Pool>,
    pub(crate) writer: Arc<Pool>,
    /// The URL of the file, for whoever must not make it.
    existing: Arc<str>,
    /// Told of every commit, for whoever waits for events.
    pub(crate) committed: Arc<Notify>,
    leader: Arc<Mutex<Leader>>,
}

/// Who may publish events, and until when.
type Leader = Option<(u128, Instant)>;

/// Why a database could not be opened.
#[derive(Debug)]
pub struct OpenError {
    path: String,
    cause: Failure,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the database {} cannot be opened: {}",
            self.path, self.cause
        )
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

impl Database {
    /// Opens the database in a file, makes it where there is none, and brings
    /// its tables up to date.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the file is no database, cannot be written, or was
    /// written by a newer version of the program.
    pub async fn open(path: &Path, readers: usize) -> Result<Self, OpenError> {
        let url = path.to_string_lossy().into_owned();
        let fail = |cause: Failure| OpenError {
            path: url.clone(),
            cause,
        };
        migrate(&url).await.map_err(fail)?;
        Ok(Self {
            writer: Pool::open("writer", &url, 1, PRAGMAS).await.map_err(fail)?,
            readers: Pool::open("readers", &url, readers.max(1), PRAGMAS)
                .await
                .map_err(fail)?,
            existing: existing(&url).into(),
            committed: Arc::default(),
            leader: Arc::default(),
        })
    }

    /// The repositories, each call alone.
    pub fn store(&self) -> Sqlite<Pooled> {
        Sqlite(Pooled(self.clone()))
    }

    /// Whether the database is where it was opened, and answers. Connections that
    /// are open would go on without its file, and write into nothing that lasts.
    ///
    /// # Errors
    ///
    /// [`archesai_platform::Error`] if it does not.
    pub async fn check(&self) -> archesai_platform::Result<()> {
        let url = Arc::clone(&self.existing);
        let looked = tokio::task::spawn_blocking(move || look(&url)).await;
        let looked = looked.map_err(archesai_platform::Error::unavailable)?;
        looked.map_err(archesai_platform::Error::unavailable)
    }

    pub(crate) fn leader(&self) -> MutexGuard<'_, Leader> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a transaction. What is dropped halfway is rolled back.
    pub(crate) async fn begin(&self) -> Result<Sqlite<Open>, Failure> {
        let connection = self.writer.get().await?;
        Ok(Sqlite(Open::new(connection, Arc::clone(&self.committed))))
    }
}

/// Brings the tables up to date. While another process does the same, SQLite may
/// say that the file is locked without waiting at all, so this waits and asks again.
async fn migrate(url: &str) -> Result<(), Failure> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let url = url.to_owned();
        let migrated = tokio::task::spawn_blocking(move || migrate_now(&url)).await?;
        match migrated {
            Err(cause) if is_busy(&cause) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(AGAIN).await;
            }
            other => return other,
        }
    }
}

/// All that is pending in one transaction, so that of many who start at once one
/// migrates and the others find it done.
fn migrate_now(url: &str) -> Result<(), Failure> {
    let mut connection = SqliteConnection::establish(url)?;
    connection.batch_execute(PRAGMAS)?;
    connection.immediate_transaction(|connection| {
        refuse_newer(connection)?;
        connection.run_pending_migrations(MIGRATIONS)?;
        Ok(())
    })
}

/// The URL of a file that is opened only where it exists.
fn existing(path: &str) -> String {
    let escaped = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{escaped}?mode=rw")
}

fn look(url: &str) -> Result<(), Failure> {
    let mut connection = SqliteConnection::establish(url)?;
    connection.batch_execute("PRAGMA busy_timeout = 1000; SELECT 1 FROM users LIMIT 1")?;
    Ok(())
}

fn is_busy(cause: &Failure) -> bool {
    // Neither diesel nor its migrations keep SQLite's code.
    cause.to_string().contains("database is locked")
}

/// A database with migrations this program does not know was written by a newer one.
fn refuse_newer(connection: &mut SqliteConnection) -> Result<(), Failure> {
    use diesel::migration::{Migration, MigrationSource, MigrationVersion};

    let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = MIGRATIONS.migrations()?;
    let is_known =
        |version: &MigrationVersion<'_>| known.iter().any(|m| m.name().version() == *version);
    let applied = connection.applied_migrations()?;
    match applied.into_iter().find(|version| !is_known(version)) {
        Some(version) => Err(format!(
            "it has migration {version}, which this version of archesai does not know; \
             use the newer version that wrote it"
        )
        .into()),
        None => Ok(()),
    }
}
