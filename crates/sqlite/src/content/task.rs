//! The tasks of this domain.

use archesai_content::Error;

/// What a task comes to.
pub(super) type TaskResult<T> = crate::task::TaskResult<T, Error>;

/// Why a task failed.
pub(super) type Failure = crate::task::TaskError<Error>;
