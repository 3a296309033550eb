//! Running several statements as one task, in one hop to a blocking thread.

use diesel::{connection::SimpleConnection, result::QueryResult, sqlite::SqliteConnection};

use crate::lend::{Access, Failure, Lend};

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
pub(crate) trait PortError: std::error::Error + Send + Sync + Sized + 'static {
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

fn settle<T, E: PortError>(done: Result<TaskResult<T, E>, Failure>) -> Result<T, E> {
    match done.map_err(E::unavailable)? {
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
    let task = move |connection: &mut SqliteConnection| Ok(task(connection));
    settle(lender.run(Access::Read, task).await)
}

/// Runs a task that writes: all of it takes effect, or nothing. A savepoint does
/// this whether or not a transaction is open around it. Where there is none, the
/// first statement must be one that writes, for a transaction that has read
/// cannot wait for another writer any more.
pub(crate) async fn writing<L: Lend, T: Send + 'static, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T, E> + Send + 'static,
) -> Result<T, E> {
    let task = move |connection: &mut SqliteConnection| {
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
    };
    settle(lender.run(Access::Write, task).await)
}

/// Runs a task that writes and that cannot fail but with the database: within a
/// transaction it waits for what comes next, and then fails that.
pub(crate) async fn writing_later<L: Lend, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<(), E> + Send + 'static,
) -> Result<(), E> {
    let Some(queue) = lender.queue() else {
        return writing(lender, task).await;
    };
    queue.push(move |connection| {
        task(connection).map_err(|error| match error {
            TaskError::Database(error) => error.into(),
            TaskError::Said(error) => error.into(),
        })
    });
    Ok(())
}

fn roll_back(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("ROLLBACK TO task; RELEASE task")
}
