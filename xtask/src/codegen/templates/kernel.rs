//! What every domain needs and none may share with another: the clock, fresh
//! identities, caches, and pages of a list.

use std::{
    error, fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> SystemTime;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }
}

/// Makes identifiers that never repeat and sort by the time they were made (UUID version 7, RFC 9562).
pub trait Ids: Send + Sync + 'static {
    /// The next identifier.
    fn next(&self) -> u128;
}

impl<T: Ids + ?Sized> Ids for Arc<T> {
    fn next(&self) -> u128 {
        (**self).next()
    }
}

/// Why a cache could not answer. It costs time and never a request, so it says no more than that.
#[derive(Debug)]
pub struct CacheError(pub Box<dyn error::Error + Send + Sync>);

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cache is unavailable")
    }
}

impl error::Error for CacheError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Remembers values by key. May forget at any time, and is never the truth.
pub trait Cache<K, V>: Send + Sync + 'static {
    /// Recalls the value last put under a key, unless it was removed, forgotten or outlived its `ttl`.
    fn get(&self, key: &K) -> impl Future<Output = Result<Option<V>, CacheError>> + Send;

    /// Remembers a value for at most `ttl`, in place of an earlier one.
    fn put(
        &self,
        key: &K,
        value: &V,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), CacheError>> + Send;

    /// Forgets a value: no [`get`](Self::get) that begins after this has ended recalls it.
    fn remove(&self, key: &K) -> impl Future<Output = Result<(), CacheError>> + Send;
}

/// Finds a value in a cache, or else by `look`, which tells the truth, and remembers it.
///
/// Who changes a value removes it from the cache after the commit. A value that
/// was read before that commit may still be put after that removal, and would
/// then be believed for all of its `ttl`. So whoever puts a value looks a second
/// time, and forgets it unless it is still the truth. A cache that fails counts
/// as one that does not know.
pub async fn read_through<K, V, E, L>(
    cache: &impl Cache<K, V>,
    key: &K,
    ttl: Duration,
    look: impl Fn() -> L + Send + Sync,
) -> Result<Option<V>, E>
where
    K: Sync,
    V: PartialEq + Send + Sync,
    E: Send,
    L: Future<Output = Result<Option<V>, E>> + Send,
{
    if let Ok(Some(value)) = cache.get(key).await {
        return Ok(Some(value));
    }
    let Some(value) = look().await? else {
        return Ok(None);
    };
    _ = cache.put(key, &value, ttl).await;
    let again = look().await;
    if !matches!(&again, Ok(Some(again)) if *again == value) {
        _ = cache.remove(key).await;
    }
    again
}

/// Which slice of a list to read, in the order of a sort key and then of the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<S> {
    /// At most this many items.
    pub limit: u32,
    /// Begin after this position; at the start where there is none.
    pub after: Option<Cursor>,
    /// What to sort by.
    pub sort: S,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A position in a sorted list that stays where it is while rows come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort key of the item before the position.
    pub key: CursorKey,
    /// The identity of that item, which decides between equal keys.
    pub id: u128,
}

/// The sort key in a [`Cursor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorKey {
    /// Sorted by a time.
    Time(SystemTime),
    /// Sorted by a text.
    Text(String),
}

/// A slice of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the next slice begins; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of the rows found when one more than `limit` was asked for.
    pub fn from_rows(mut rows: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { items: rows, next }
    }
}
