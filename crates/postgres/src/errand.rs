//! What is asked of a connection: for whom, how, and within what time.

use std::time::Duration;

use diesel_async::AsyncPgConnection;

use crate::{session::Scope, task::TaskResult};

/// How long a call may take, from asking for a connection to the last row: whoever asked is to have
/// an answer within five seconds, whatever became of the database.
pub(crate) const SHORT: Duration = Duration::from_millis(4_500);

/// How long a call may take that has much to write, and that nobody sits and waits for.
const LONG: Duration = Duration::from_mins(1);

/// How a call uses its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It only reads, and may do so again on another connection if the first turns out to be dead.
    Read,
    /// It is one statement.
    Write,
    /// It is several statements, which take effect together or not at all.
    Together,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Errand {
    pub(crate) scope: Scope,
    pub(crate) usage: Use,
    pub(crate) limit: Duration,
    pub(crate) may_lag: bool,
}

impl Errand {
    fn new(scope: Scope, usage: Use) -> Self {
        Self {
            scope,
            usage,
            limit: SHORT,
            may_lag: false,
        }
    }

    /// May be carried out on a replica, and so miss what was committed in the last seconds: nothing
    /// may do so that decides what somebody may do or is said to have done, or that writes.
    pub(crate) fn may_lag(self) -> Self {
        Self {
            may_lag: true,
            ..self
        }
    }

    /// May take its time.
    pub(crate) fn at_length(self) -> Self {
        Self {
            limit: LONG,
            ..self
        }
    }
}

/// Statements that only read.
pub(crate) fn read(scope: Scope) -> Errand {
    Errand::new(scope, Use::Read)
}

/// One statement that writes.
pub(crate) fn write(scope: Scope) -> Errand {
    Errand::new(scope, Use::Write)
}

/// Several statements that take effect together, or not at all.
pub(crate) fn together(scope: Scope) -> Errand {
    Errand::new(scope, Use::Together)
}

/// A connection that is lent. Statements are sent by a mutable reference to it, and several may be
/// on their way at once.
pub(crate) type Link<'c> = &'c AsyncPgConnection;

/// What is done on a connection: a closure whose future can be sent to another thread.
pub trait Task<T, E>:
    for<'c> AsyncFn(Link<'c>) -> TaskResult<T, E>
    + for<'c> Begin<Link<'c>, TaskResult<T, E>, Doing: Send>
    + Send
    + Sync
{
}

impl<T, E, F> Task<T, E> for F where
    F: for<'c> AsyncFn(Link<'c>) -> TaskResult<T, E>
        + for<'c> Begin<Link<'c>, TaskResult<T, E>, Doing: Send>
        + Send
        + Sync
{
}

/// Names the future of an asynchronous closure, so that something can be said about it.
pub trait Begin<A, R>: Fn(A) -> <Self as Begin<A, R>>::Doing {
    /// The task under way.
    type Doing: Future<Output = R>;
}

impl<F, A, D, R> Begin<A, R> for F
where
    F: Fn(A) -> D,
    D: Future<Output = R>,
{
    type Doing = D;
}
