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
fn fits(value: &Json, max_bytes: u64) -> bool {
    write!(Counter { left: max_bytes }, "{value}").is_ok()
}

/// Refuses a value that is too large; `what` is `input` or `output`.
pub(super) fn check(value: &Json, max_bytes: u64, what: &str) -> Result<(), ToolError> {
    if fits(value, max_bytes) {
        Ok(())
    } else {
        Err(too_large(max_bytes, what))
    }
}

/// The error of a step whose input or output is too large.
pub(super) fn too_large(max_bytes: u64, what: &str) -> ToolError {
    let message = format!("the {what} is larger than {max_bytes} bytes");
    ToolError::permanent(format!("{what}_too_large"), message)
}

/// The beginning of a text, cut between characters.
pub(super) fn cut(text: &str, max_bytes: usize) -> &str {
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
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 9), "aé");
    }
}
