//! What can go wrong with a document, in words for the person who uploaded it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The formats that have a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Office Open XML text (Word).
    Docx,
    /// HTML and XHTML.
    Html,
    /// Markdown (`CommonMark` with tables).
    Markdown,
    /// Comma-, semicolon- or tab-separated values.
    Csv,
    /// Any other text.
    Plain,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Html => "HTML",
            Self::Markdown => "Markdown",
            Self::Csv => "CSV",
            Self::Plain => "text",
        })
    }
}

/// Why a document gave no text. Every message may be shown to the user.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExtractError {
    /// No reader knows this type.
    #[error("documents of type {media_type} cannot be read")]
    Unsupported {
        /// The media type, without parameters.
        media_type: String,
    },
    /// The bytes are not what their type says.
    #[error("the {format} is damaged: {detail}")]
    Damaged {
        /// The format it should have.
        format: Format,
        /// What is wrong with it.
        detail: String,
    },
    /// The document needs a password.
    #[error("the {0} is protected by a password")]
    Locked(Format),
    /// A limit on size or count was reached.
    #[error("the {what} is larger than {limit} {unit}")]
    TooLarge {
        /// What was measured.
        what: Cow<'static, str>,
        /// How much is allowed.
        limit: usize,
        /// In what it is counted.
        unit: Cow<'static, str>,
    },
    /// A limit on nesting was reached.
    #[error("the {format} is nested deeper than {limit} levels")]
    TooDeep {
        /// The format of the document.
        format: Format,
        /// How deep it may be.
        limit: usize,
    },
    /// The deadline passed.
    #[error("the document took longer than {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// Reading it takes more memory than it may.
    #[error("the document takes too much memory to read")]
    TooCostly,
    /// The machine had no thread left; trying again later may help.
    #[error("too many documents are being read at once")]
    Busy,
}

impl ExtractError {
    /// A damaged document of `format`.
    pub(super) fn damaged(format: Format, detail: impl Into<String>) -> Self {
        Self::Damaged {
            format,
            detail: detail.into(),
        }
    }

    /// Something of which there is more than `limit`.
    pub(super) fn too_large(what: &'static str, limit: usize, unit: &'static str) -> Self {
        Self::TooLarge {
            what: what.into(),
            limit,
            unit: unit.into(),
        }
    }
}
