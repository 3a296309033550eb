//! Mistakes in expressions, with the place where they stand.

use thiserror::Error;

/// A mistake in a template. The message may be shown to whoever wrote it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{detail}")]
pub struct ExpressionError {
    /// JSON Pointer (RFC 6901) to the string in the template; empty when the template is that string.
    pub pointer: String,
    /// The line in the string, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub detail: String,
}

impl ExpressionError {
    /// A mistake whose place is not known yet.
    pub(super) fn new(detail: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            line: None,
            detail: detail.into(),
        }
    }

    /// The same mistake with the pointer to its string.
    pub(super) fn at(mut self, pointer: &str) -> Self {
        pointer.clone_into(&mut self.pointer);
        self
    }

    /// The same mistake with its line.
    pub(super) fn on_line(mut self, line: usize) -> Self {
        self.line = Some(line.max(1));
        self
    }

    /// What an error of the engine means.
    pub(super) fn from_engine(error: &minijinja::Error) -> Self {
        let detail = match (error.kind(), error.detail()) {
            (minijinja::ErrorKind::OutOfFuel, _) => "it takes too much work".to_owned(),
            (_, Some(detail)) => shorten(detail),
            (kind, None) => shorten(&kind.to_string()),
        };
        let mistake = Self::new(detail);
        match error.line() {
            Some(line) => mistake.on_line(line),
            None => mistake,
        }
    }
}

/// Engine messages may repeat values.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
