//! How large things are, and how they are cut to size.

use std::fmt::{self, Write as _};

use crate::{Json, ToolError};

/// Counts what is written to it, up to a bound.
struct Counter {
    left: u64,
}

impl fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Whether a value is at most so many bytes of compact JSON.
pub(crate) fn fits(value: &Json, max_bytes: u64) -> bool {
    write!(Counter { left: max_bytes }, "{value}").is_ok()
}

/// How many bytes of compact JSON a value is.
pub(crate) fn of(value: &Json) -> u64 {
    let mut counter = Counter { left: u64::MAX };
    _ = write!(counter, "{value}");
    u64::MAX - counter.left
}

/// How deep a value may nest: less than what readers of JSON take, so that
/// whatever is written can be read again, also as an item of a list of lists.
const MAX_DEPTH: u32 = 100;

/// Whether a value nests at most so deep.
fn is_flat(value: &Json, depth: u32) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return !matches!(value, Json::Array(_) | Json::Object(_));
    };
    match value {
        Json::Array(items) => items.iter().all(|item| is_flat(item, below)),
        Json::Object(members) => members.values().all(|member| is_flat(member, below)),
        _ => true,
    }
}

/// Refuses a value that is too large or too deep; `what` is `input` or `output`.
pub(crate) fn check(value: &Json, max_bytes: u64, what: &str) -> Result<(), ToolError> {
    if !is_flat(value, MAX_DEPTH) {
        let message = format!("the {what} nests deeper than {MAX_DEPTH} levels");
        return Err(ToolError::permanent(format!("{what}_too_deep"), message));
    }
    if fits(value, max_bytes) {
        Ok(())
    } else {
        Err(too_large(max_bytes, what))
    }
}

/// The error of a step whose input or output is too large.
pub(crate) fn too_large(max_bytes: u64, what: &str) -> ToolError {
    let message = format!("the {what} is larger than {max_bytes} bytes");
    ToolError::permanent(format!("{what}_too_large"), message)
}

/// The beginning of a text, cut between characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_bytes_count() {
        let value = Json::Array(vec![Json::from("é"), Json::from(7)]);
        assert_eq!(value.to_string().len(), 8);
        assert!(fits(&value, 8));
        assert!(!fits(&value, 7));
    }

    #[test]
    fn depth_counts() {
        let nested = |levels| (0..levels).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        assert!(check(&nested(MAX_DEPTH), 1_000, "output").is_ok());
        let error = check(&nested(MAX_DEPTH + 1), 1_000, "output").unwrap_err();
        assert_eq!(error.code, "output_too_deep");
        assert!(!error.retryable);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 9), "aé");
    }
}
