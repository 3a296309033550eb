//! Running several statements as one task.

use archesai_workflows::{Error, Result};
use diesel::{connection::SimpleConnection, result::QueryResult, sqlite::SqliteConnection};

use crate::lend::Lend;

/// Why a task failed: because of the database, or as the port says it may.
pub(super) enum Failure {
    /// The database failed.
    Database(diesel::result::Error),
    /// What the port says.
    Said(Error),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => Self::unavailable(error),
            Failure::Said(error) => error,
        }
    }
}

/// What a task comes to.
pub(super) type TaskResult<T> = Result<T, Failure>;

/// Runs a task that only reads.
pub(super) async fn reading<L: Lend, T: Send + 'static>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T> + Send + 'static,
) -> Result<T> {
    let mut connection = lender.read().await.map_err(Error::unavailable)?;
    let done = connection
        .spawn_blocking(move |connection| Ok(task(connection)))
        .await;
    Ok(done.map_err(Error::unavailable)??)
}

/// Runs a task that writes: all of it takes effect, or nothing. A savepoint does
/// this whether or not a transaction is open around it. Where there is none, the
/// first statement must be one that writes, for a transaction that has read
/// cannot wait for another writer any more.
pub(super) async fn writing<L: Lend, T: Send + 'static>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T> + Send + 'static,
) -> Result<T> {
    let mut connection = lender.write().await.map_err(Error::unavailable)?;
    let done = connection
        .spawn_blocking(move |connection| {
            connection.batch_execute("SAVEPOINT workflows")?;
            let done = task(connection);
            let released = match &done {
                Ok(_) => connection.batch_execute("RELEASE workflows"),
                Err(_) => roll_back(connection),
            };
            if let Err(error) = released {
                // A failed release leaves the savepoint open.
                _ = roll_back(connection);
                return Ok(done.and(Err(error.into())));
            }
            Ok(done)
        })
        .await;
    Ok(done.map_err(Error::unavailable)??)
}

fn roll_back(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("ROLLBACK TO workflows; RELEASE workflows")
}
