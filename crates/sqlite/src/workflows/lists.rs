//! Slices of lists.

use archesai_workflows::{Cursor, CursorKey, Slice};

use crate::types::{Id, Time};

/// Adds the position, order and limit of a slice to a boxed query. The position
/// is a bound on the key alone and a condition on both, because only the former
/// lets an index find it. One row more than asked for tells whether there is
/// another page.
macro_rules! sliced {
    ($query:expr, $slice:expr, $key:expr, $id:expr, $after:expr) => {{
        let mut query = $query;
        if let Some((last, last_id)) = $after {
            query = if $slice.descending {
                query
                    .filter($key.le(last.clone()))
                    .filter($key.lt(last).or($id.lt(last_id)))
            } else {
                query
                    .filter($key.ge(last.clone()))
                    .filter($key.gt(last).or($id.gt(last_id)))
            };
        }
        query = if $slice.descending {
            query.order(($key.desc(), $id.desc()))
        } else {
            query.order(($key.asc(), $id.asc()))
        };
        query.limit(i64::from($slice.limit) + 1)
    }};
}
pub(super) use sliced;

/// Where a slice in order of time begins.
pub(super) fn after_time<S>(slice: &Slice<S>) -> Option<(Time, Id)> {
    match slice.after.as_ref()? {
        Cursor {
            key: CursorKey::Time(time),
            id,
        } => Some((Time(*time), Id(*id))),
        Cursor { .. } => None,
    }
}

/// Where a slice in order of a text begins.
pub(super) fn after_text<S>(slice: &Slice<S>) -> Option<(String, Id)> {
    match slice.after.as_ref()? {
        Cursor {
            key: CursorKey::Text(text),
            id,
        } => Some((text.clone(), Id(*id))),
        Cursor { .. } => None,
    }
}
