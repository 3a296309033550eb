//! The tasks of this domain.

use archesai_workflows::Error;

/// What a task comes to.
pub(super) type TaskResult<T> = crate::task::TaskResult<T, Error>;

/// Why a task failed.
pub(super) type Failure = crate::task::TaskError<Error>;
