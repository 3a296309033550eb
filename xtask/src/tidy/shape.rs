//! The shape of source files: each says what it is for, and none is too long to be read.

use super::{Finding, files::File};

/// How many lines a file may have that a person writes.
const MOST_LINES: usize = 600;

/// The names of source files end with one of these.
const SOURCES: [&str; 6] = [".rs", ".ts", ".tsx", ".js", ".py", ".sh"];

/// Every module begins with a doc comment.
pub(super) fn module_docs(file: &File) -> Option<Finding> {
    let is_missing = file.is_rust() && !file.text.starts_with("//!");
    is_missing.then(|| {
        let message = "must begin with a doc comment (`//! …`) that says what it is for";
        Finding::at(&file.path, 1, message)
    })
}

/// No file is longer than a person likes to read.
pub(super) fn length(file: &File) -> Option<Finding> {
    let is_source = SOURCES.iter().any(|end| file.path.ends_with(end));
    let lines = file.text.lines().count();
    let is_long = is_source && !file.is_generated() && lines > MOST_LINES;
    is_long.then(|| {
        let message = format!("has {lines} lines, more than {MOST_LINES}; split it");
        Finding::of(&file.path, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_doc_comment_is_found() {
        for text in [
            "",
            "// Not a doc comment.\n",
            "\n//! Too late.\n",
            "use std::fmt;\n",
        ] {
            assert!(
                module_docs(&File::new("crates/a/src/a.rs", text)).is_some(),
                "{text:?}"
            );
        }
        assert!(module_docs(&File::new("crates/a/src/a.rs", "//! Says it.\n")).is_none());
        assert!(module_docs(&File::new("README.md", "# Title\n")).is_none());
    }

    #[test]
    fn only_generated_files_may_be_long() {
        let text = "//! Long.\n".repeat(MOST_LINES + 1);
        assert!(length(&File::new("crates/a/src/a.rs", &text)).is_some());
        assert!(length(&File::new("crates/a/src/a.gen.rs", &text)).is_none());
        assert!(length(&File::new("tests/data/a.html", &text)).is_none());
        assert!(length(&File::new("crates/a/src/a.rs", &text[10..])).is_none());
    }
}
