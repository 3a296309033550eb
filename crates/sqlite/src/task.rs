//! Running several statements as one task, in one hop to a blocking thread.

use diesel::{connection::SimpleConnection, result::QueryResult, sqlite::SqliteConnection};

use crate::lend::{Failure, Lend};

/// Why a task failed: because of the database, or as the port says it may.
pub(crate) enum TaskError<E> {
    /// The database failed.
    Database(diesel::result::Error),
    /// What the port says.
    Said(E),
}

impl<E> From<diesel::result::Error> for TaskError<E> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

/// What a task of a domain comes to.
pub(crate) type TaskResult<T, E> = Result<T, TaskError<E>>;

/// The error of a domain, as far as tasks are concerned.
pub(crate) trait PortError: Send + Sized + 'static {
    /// Wraps the failure of the database.
    fn unavailable(cause: Failure) -> Self;
}

/// Implements [`PortError`] for a domain: the domains share no types.
macro_rules! port_error {
    ($($domain:ident),*) => {$(
        impl PortError for $domain::Error {
            fn unavailable(cause: Failure) -> Self {
                Self::unavailable(cause)
            }
        }

        impl From<$domain::Error> for TaskError<$domain::Error> {
            fn from(error: $domain::Error) -> Self {
                Self::Said(error)
            }
        }
    )*};
}
port_error!(archesai_content, archesai_workflows);

fn settle<T, E: PortError>(done: QueryResult<TaskResult<T, E>>) -> Result<T, E> {
    match done.map_err(TaskError::Database).and_then(|done| done) {
        Ok(done) => Ok(done),
        Err(TaskError::Said(error)) => Err(error),
        Err(TaskError::Database(error)) => Err(E::unavailable(error.into())),
    }
}

/// Runs a task that only reads.
pub(crate) async fn reading<L: Lend, T: Send + 'static, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T, E> + Send + 'static,
) -> Result<T, E> {
    let mut connection = lender.read().await.map_err(E::unavailable)?;
    let done = connection.spawn_blocking(move |connection| Ok(task(connection)));
    settle(done.await)
}

/// Runs a task that writes: all of it takes effect, or nothing. A savepoint does
/// this whether or not a transaction is open around it. Where there is none, the
/// first statement must be one that writes, for a transaction that has read
/// cannot wait for another writer any more.
pub(crate) async fn writing<L: Lend, T: Send + 'static, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T, E> + Send + 'static,
) -> Result<T, E> {
    let mut connection = lender.write().await.map_err(E::unavailable)?;
    let done = connection.spawn_blocking(move |connection| {
        connection.batch_execute("SAVEPOINT task")?;
        let done = task(connection);
        let released = match &done {
            Ok(_) => connection.batch_execute("RELEASE task"),
            Err(_) => roll_back(connection),
        };
        if let Err(error) = released {
            // A failed release leaves the savepoint open.
            _ = roll_back(connection);
            return Ok(done.and(Err(error.into())));
        }
        Ok(done)
    });
    settle(done.await)
}

fn roll_back(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("ROLLBACK TO task; RELEASE task")
}
