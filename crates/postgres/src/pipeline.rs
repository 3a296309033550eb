//! Several statements on their way at once.
//!
//! Futures of statements on one connection are sent when they are first looked at, and the server
//! takes them in that order: a statement that has yet to be prepared holds up those after it, for
//! they wait for the cache of prepared statements one behind the other. So what is looked at in
//! order happens in order. The simple protocol stands outside of this, and is not used here.

use std::{future::poll_fn, task::Poll};

use diesel::result::QueryResult;
use diesel_async::RunQueryDsl;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{errand::Link, sql::Sql};

/// Runs statements in order, without waiting for one before the next is sent. Waits for all, and
/// answers how many rows each touched, or the first error.
pub(crate) async fn in_order(mut link: Link<'_>, statements: Vec<Sql>) -> QueryResult<Vec<usize>> {
    let start = |statement: Sql| statement.execute(&mut link).boxed();
    all_of(statements.into_iter().map(start).collect()).await
}

/// Waits for all of several statements of one connection, and looks at them in order.
pub(crate) async fn all_of<T>(
    statements: Vec<BoxFuture<'_, QueryResult<T>>>,
) -> QueryResult<Vec<T>> {
    let mut running: Vec<_> = statements.into_iter().map(Running::On).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for slot in &mut running {
            if let Running::On(future) = slot {
                match future.poll_unpin(context) {
                    Poll::Ready(result) => *slot = Running::Done(result),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let result = |slot| match slot {
        Running::Done(result) => Some(result),
        Running::On(_) => None,
    };
    running.into_iter().filter_map(result).collect()
}

enum Running<'c, T> {
    On(BoxFuture<'c, QueryResult<T>>),
    Done(QueryResult<T>),
}
