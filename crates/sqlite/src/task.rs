//! Running several statements as one task, in one hop to a blocking thread.

use diesel::{
    connection::SimpleConnection,
    result::{Error::DeserializationError, QueryResult},
    sqlite::SqliteConnection,
};

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

    /// Wraps why something that is kept cannot be made out.
    fn unreadable(cause: Failure) -> Self;
}

/// Implements [`PortError`] for a domain, and says what it calls that which
/// cannot be made out: the domains share no types.
macro_rules! port_error {
    ($($domain:ident: $unreadable:ident),*) => {$(
        impl PortError for $domain::Error {
            fn unavailable(cause: Failure) -> Self {
                Self::unavailable(cause)
            }

            fn unreadable(cause: Failure) -> Self {
                Self::$unreadable(cause)
            }
        }

        impl From<$domain::Error> for TaskError<$domain::Error> {
            fn from(error: $domain::Error) -> Self {
                Self::Said(error)
            }
        }
    )*};
}
port_error!(
    archesai_content: unavailable,
    archesai_organizations: unavailable,
    archesai_platform: unavailable,
    archesai_workflows: unreadable
);

fn settle<T, E: PortError>(done: Result<TaskResult<T, E>, Failure>) -> Result<T, E> {
    match done.map_err(E::unavailable)? {
        Ok(done) => Ok(done),
        Err(TaskError::Said(error)) => Err(error),
        Err(TaskError::Database(error @ DeserializationError(_))) => {
            Err(E::unreadable(error.into()))
        }
        Err(TaskError::Database(error)) => Err(E::unavailable(error.into())),
    }
}

/// Runs a task that only reads.
pub(crate) async fn reading<L: Lend, T: Send + 'static, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T, E> + Send + 'static,
) -> Result<T, E> {
    settle(lender.run(Access::Read, task).await)
}

/// Runs a task that writes: all of it takes effect, or nothing. The first
/// statement must be one that writes, for a transaction that has read cannot
/// wait for another writer any more.
pub(crate) async fn writing<L: Lend, T: Send + 'static, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> TaskResult<T, E> + Send + 'static,
) -> Result<T, E> {
    let task = move |connection: &mut SqliteConnection| all_or_nothing(connection, task);
    settle(lender.run(Access::Write, task).await)
}

/// Runs a task that writes and that cannot fail but with the database. Within a
/// transaction it is not waited for: a failure is told by what comes next.
pub(crate) async fn posting<L: Lend, E: PortError>(
    lender: &L,
    task: impl FnOnce(&mut SqliteConnection) -> QueryResult<()> + Send + 'static,
) -> Result<(), E> {
    let task = move |connection: &mut SqliteConnection| Ok(task(connection)?);
    lender.post(task).await.map_err(E::unavailable)
}

/// Runs a task of which all takes effect, or nothing. A savepoint does this
/// whether or not a transaction is open around it.
pub(crate) fn all_or_nothing<T, E: From<diesel::result::Error>>(
    connection: &mut SqliteConnection,
    task: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    connection.batch_execute("SAVEPOINT task")?;
    let done = task(connection).and_then(|done| {
        connection.batch_execute("RELEASE task")?;
        Ok(done)
    });
    if done.is_err() {
        // A failed release leaves the savepoint open too.
        _ = connection.batch_execute("ROLLBACK TO task; RELEASE task");
    }
    done
}
