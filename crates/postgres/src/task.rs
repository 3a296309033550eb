//! How a task on a connection ends: well, as the port says it may, or because of the database.

use std::error;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What failed underneath, for the log.
pub(crate) type Failure = Box<dyn error::Error + Send + Sync>;

/// Why a task failed.
#[derive(Debug)]
pub enum TaskError<E> {
    /// The database failed.
    Database(DieselError),
    /// There was no connection, or no time.
    Failed(Failure),
    /// What the port says.
    Said(E),
}

/// What a task comes to.
pub(crate) type TaskResult<T, E> = Result<T, TaskError<E>>;

impl<E> From<DieselError> for TaskError<E> {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl<E> From<Failure> for TaskError<E> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<E> TaskError<E> {
    /// Whether the connection was lost, so that the same may work on another one.
    pub(crate) fn is_lost(&self) -> bool {
        let Self::Database(DieselError::DatabaseError(kind, information)) = self else {
            return false;
        };
        // A server that shuts down says so before it hangs up.
        matches!(
            kind,
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection
        ) || information.message().starts_with("terminating connection")
    }
}

impl<E: PortError> TaskError<E> {
    /// The error of the port.
    pub(crate) fn into_said(self) -> E {
        match self {
            Self::Said(error) => error,
            Self::Database(error) => E::unavailable(error.into()),
            Self::Failed(failure) => E::unavailable(failure),
        }
    }
}

/// The error of a port.
pub trait PortError: error::Error + Send + Sync + Sized + 'static {
    /// Wraps the failure of the database.
    fn unavailable(cause: Failure) -> Self;
}

/// Implements [`PortError`] for a domain: the domains share no types.
macro_rules! port_error {
    ($($domain:ident),* $(,)?) => {$(
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
port_error!(
    archesai_auth,
    archesai_content,
    archesai_organizations,
    archesai_platform,
    archesai_workflows,
);
