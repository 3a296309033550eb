//! Pages of lists: cursors that clients hand back unread.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

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
pub(crate) fn decode<C: for<'de> Deserialize<'de>>(
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
pub(crate) fn unknown() -> Problem {
    Problem::fault(
        "/query/cursor",
        "must be the `next_cursor` of the page before, unchanged",
    )
}

/// Splits `-created_at` into the key and whether the greatest comes first.
pub(crate) fn direction(sort: &str) -> (&str, bool) {
    match sort.strip_prefix('-') {
        Some(key) => (key, true),
        None => (sort, false),
    }
}

/// The page size asked for.
pub(crate) fn limit(limit: Option<i32>) -> u32 {
    u32::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(1)
}
