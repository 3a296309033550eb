//! The documents that the tests read; `tests/data/README.md` says where they come from.

use std::path::PathBuf;

/// The folder they are in: where the tests run, not where they were built.
#[expect(
    clippy::disallowed_methods,
    reason = "tests ask where their samples are"
)]
pub(crate) fn folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    PathBuf::from(package).join("../../tests/data")
}

/// The bytes of a document.
#[expect(clippy::disallowed_methods, reason = "tests read their samples")]
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document that is text.
pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}
