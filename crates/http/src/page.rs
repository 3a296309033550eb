//! Pages of lists: cursors that clients hand back unread.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Problem;

/// How many items a page has where the client does not say.
pub(crate) const DEFAULT_LIMIT: i32 = 20;

/// What a cursor says: which list goes on, where, and in which order it was read.
#[derive(Serialize, Deserialize)]
struct Token<C> {
    #[serde(rename = "l")]
    list: String,
    #[serde(rename = "s")]
    sort: String,
    #[serde(rename = "c")]
    cursor: C,
}

/// The sort key in a cursor, as every domain writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    Time(SystemTime),
    Text(String),
}

#[derive(Deserialize)]
struct Position {
    key: Key,
}

/// The last second that is written with a year of four digits. Every database can keep it.
const LAST: Duration = Duration::from_secs(253_402_300_799);

impl Key {
    /// Whether a list sorted by this can have it: times are called so.
    fn fits(&self, sorted_by: &str) -> bool {
        let timed = sorted_by.ends_with("_at");
        match self {
            Self::Time(time) => timed && *time <= SystemTime::UNIX_EPOCH + LAST,
            Self::Text(text) => !timed && !text.contains('\0'),
        }
    }
}

/// The slices of a domain: each has its own.
pub(crate) trait Sliced<S> {
    /// The domain's cursors.
    type Cursor: DeserializeOwned;

    /// A slice.
    fn new(limit: u32, after: Option<Self::Cursor>, sort: S, descending: bool) -> Self;
}

macro_rules! sliced {
    ($($domain:ident),*) => {
        $(impl<S> Sliced<S> for $domain::Slice<S> {
            type Cursor = $domain::Cursor;

            fn new(limit: u32, after: Option<Self::Cursor>, sort: S, descending: bool) -> Self {
                Self { limit, after, sort, descending }
            }
        })*
    };
}

sliced!(
    archesai_auth,
    archesai_content,
    archesai_organizations,
    archesai_workflows
);

/// The slice that a list is asked for.
///
/// # Errors
///
/// 422 for a cursor that this API did not give out for this list in this order.
pub(crate) fn slice<S, T: Sliced<S>>(
    list: &str,
    limit: Option<i32>,
    cursor: Option<&str>,
    order: &str,
    sort: S,
) -> Result<T, Problem> {
    let (key, descending) = match order.strip_prefix('-') {
        Some(key) => (key, true),
        None => (order, false),
    };
    let position: Option<Position> = decode(list, order, cursor)?;
    if position.is_some_and(|position| !position.key.fits(key)) {
        return Err(unknown());
    }
    let after = decode(list, order, cursor)?;
    Ok(T::new(self::limit(limit), after, sort, descending))
}

/// Writes a cursor.
pub(crate) fn encode<C: Serialize>(list: &str, sort: &str, cursor: Option<C>) -> Option<String> {
    let token = Token {
        list: list.to_owned(),
        sort: sort.to_owned(),
        cursor: cursor?,
    };
    let text = serde_json::to_vec(&token).ok()?;
    Some(URL_SAFE_NO_PAD.encode(text))
}

/// Reads a cursor back, for the same list in the same order.
///
/// # Errors
///
/// 422 for anything this API did not give out for this list in this order.
pub(crate) fn decode<C: DeserializeOwned>(
    list: &str,
    sort: &str,
    text: Option<&str>,
) -> Result<Option<C>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let token: Option<Token<C>> = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|token: &Token<C>| token.list == list);
    match token {
        Some(token) if token.sort == sort => Ok(Some(token.cursor)),
        Some(_) => Err(Problem::fault(
            "/query/cursor",
            "belongs to a list in another order; keep `sort` as it was",
        )),
        None => Err(unknown()),
    }
}

/// 422 for a cursor this API did not give out.
fn unknown() -> Problem {
    Problem::fault(
        "/query/cursor",
        "must be the `next_cursor` of the page before, unchanged",
    )
}

/// The page size asked for.
pub(crate) fn limit(limit: Option<i32>) -> u32 {
    u32::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(key: &str, sorted_by: &str) -> bool {
        let key: Result<Key, _> = serde_json::from_str(key);
        key.is_ok_and(|key| key.fits(sorted_by))
    }

    #[test]
    fn a_key_is_of_the_kind_of_its_list_and_within_every_databases_range() {
        let at = |seconds: u64| {
            format!("{{\"time\":{{\"secs_since_epoch\":{seconds},\"nanos_since_epoch\":0}}}}")
        };
        let last = LAST.as_secs();
        for sorted_by in ["created_at", "updated_at"] {
            assert!(fits(&at(0), sorted_by));
            assert!(fits(&at(last), sorted_by));
            assert!(!fits(&at(last + 1), sorted_by));
            assert!(!fits(&at(u64::MAX), sorted_by));
            assert!(!fits(r#"{"text":"a"}"#, sorted_by));
        }
        assert!(fits(r#"{"text":"a"}"#, "name"));
        assert!(!fits(r#"{"text":"a\u0000"}"#, "name"));
        assert!(!fits(&at(0), "name"));
    }
}
