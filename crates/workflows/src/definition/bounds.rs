//! How large a definition may be, which is looked at before anything else: whatever
//! follows takes time and memory in proportion.

use super::{MAX_DEPTH, pointer::is_deeper};
use crate::{Json, size};

/// How many bytes of compact JSON a definition may have.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// How many values a definition may hold: itself, and what is in its arrays and objects.
pub const MAX_VALUES: usize = 50_000;
/// How long the names on the way to a value may be together, which are told with what is wrong there.
const MAX_PATH: usize = 1_024;

/// Why a definition is too large, if it is.
pub(super) fn exceeded(definition: &Json) -> Option<String> {
    if is_deeper(definition, MAX_DEPTH) {
        return Some(format!("nests deeper than {MAX_DEPTH} levels"));
    }
    if !size::fits(definition, MAX_BYTES) {
        return Some(format!("is larger than {MAX_BYTES} bytes of compact JSON"));
    }
    let (mut values, mut longest) = (0, 0);
    count(definition, 0, &mut values, &mut longest);
    if values > MAX_VALUES {
        return Some(format!("holds more than {MAX_VALUES} values"));
    }
    let detail = || format!("names on the way to a value have more than {MAX_PATH} bytes together");
    (longest > MAX_PATH).then(detail)
}

fn count(value: &Json, path: usize, values: &mut usize, longest: &mut usize) {
    *values += 1;
    *longest = path.max(*longest);
    match value {
        Json::Array(items) => items
            .iter()
            .for_each(|item| count(item, path, values, longest)),
        Json::Object(members) => members
            .iter()
            .for_each(|(name, value)| count(value, path + name.len(), values, longest)),
        _ => {}
    }
}
