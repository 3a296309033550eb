//! The documents that the tests read; `tests/data/README.md` says where they come from.

use std::path::Path;

/// The bytes of a document.
#[expect(clippy::disallowed_methods, reason = "tests read their samples")]
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document that is text.
pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}
