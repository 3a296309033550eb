//! Places in a JSON document (JSON Pointer, RFC 6901).

use std::fmt::Display;

use crate::Json;

/// The place of a member or an item of what lies at `parent`.
pub(crate) fn child(parent: &str, token: impl Display) -> String {
    let token = token.to_string().replace('~', "~0").replace('/', "~1");
    format!("{parent}/{token}")
}

/// Whether arrays and objects nest deeper than `limit`.
pub(super) fn is_deeper(value: &Json, limit: usize) -> bool {
    let deeper = |inner: &Json| limit == 0 || is_deeper(inner, limit - 1);
    match value {
        Json::Array(items) => items.iter().any(deeper),
        Json::Object(members) => members.values().any(deeper),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped() {
        assert_eq!(child("/a", "b/c~d"), "/a/b~1c~0d");
    }

    #[test]
    fn depth_counts_containers() {
        let nested = Json::Array(vec![Json::Array(vec![Json::Null])]);
        assert!(is_deeper(&nested, 1));
        assert!(!is_deeper(&nested, 2));
    }
}
