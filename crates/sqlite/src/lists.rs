//! Slices of lists. The domains share no types of pages, so these are macros.

/// Where a slice in order of a key begins: the key's value and the id. `Cursor` and `CursorKey` are
/// those of the domain.
macro_rules! after {
    ($slice:expr, $kind:ident) => {
        match $slice.after.as_ref() {
            Some(Cursor {
                key: CursorKey::$kind(last),
                id: last_id,
            }) => Some((
                $crate::lists::kept!($kind, last),
                $crate::types::Id(*last_id),
            )),
            _ => None,
        }
    };
}
pub(crate) use after;

/// A key as it is kept.
macro_rules! kept {
    (Time, $key:expr) => {
        $crate::types::Time(*$key)
    };
    (Text, $key:expr) => {
        $key.clone()
    };
}
pub(crate) use kept;

/// Adds the position, order and limit of a slice to a boxed query. The position is a bound on the key
/// alone and a condition on both, because only the former lets an index find it. One row more than
/// asked for tells whether there is another page.
macro_rules! sliced {
    ($query:expr, $slice:expr, $key:expr, $id:expr, $kind:ident) => {{
        let mut query = $query;
        if let Some((last, last_id)) = $crate::lists::after!($slice, $kind) {
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
pub(crate) use sliced;
