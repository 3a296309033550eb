//! Turns the bytes of a document into text that can be searched, split and given to a model.
//!
//! One file per format. What the formats share is here: the limits, the answer, and the choice of the reader. A reader runs
//! on a thread of its own (`crate::bounded`), so that a library's panic or endless loop costs one document and not the
//! server.

mod csv;
mod docx;
mod docx_styles;
mod error;
mod html;
mod html_blocks;
mod markdown;
mod media;
mod pdf;
mod pdf_cmap;
mod pdf_fonts;
mod pdf_layout;
mod pdf_metrics;
mod pdf_page;
mod plain;
mod writer;
mod zip;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bounded::{self, Cancel, Stopped};

pub use error::{ExtractError, Format};
pub use media::media_type_of;

/// Address space of a reader's stack, in bytes: parsers of nested formats recurse.
const STACK: usize = 64 << 20;

/// What a document may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest document, in bytes. Default 100 MiB.
    pub input_bytes: usize,
    /// Longest text that comes out, in characters. Default 20 million.
    pub output_chars: usize,
    /// Longest time for one document. Default 60 seconds.
    pub time: Duration,
    /// Most memory of a process that reads a document, in bytes (see [`crate::apart`]). Default 512 MiB.
    pub memory_bytes: u64,
    /// Most pages of a PDF. Default 10,000.
    pub pages: usize,
    /// Most entries of an archive (a DOCX is one). Default 10,000.
    pub archive_entries: usize,
    /// Most bytes that the compressed parts of a document may inflate to, in sum. Default 256 MiB.
    pub inflated_bytes: usize,
    /// Deepest nesting of XML elements. Default 256.
    pub xml_depth: usize,
    /// Most tags of an HTML document. Default 1 million.
    pub html_tags: usize,
    /// Most columns of a CSV file. Default 10,000.
    pub columns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 100 << 20,
            output_chars: 20_000_000,
            time: Duration::from_mins(1),
            memory_bytes: 512 << 20,
            pages: 10_000,
            archive_entries: 10_000,
            inflated_bytes: 256 << 20,
            xml_depth: 256,
            html_tags: 1_000_000,
            columns: 10_000,
        }
    }
}

/// The text of a document and where its parts begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    /// The text: lines end with `\n`, blocks are separated by an empty line, no other control characters but tabs.
    pub text: String,
    /// The parts of the document in their order.
    pub sections: Vec<Section>,
}

/// Where a part of a document begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What kind of part it is.
    pub kind: SectionKind,
    /// The words of a heading; empty for a page.
    pub title: String,
    /// The number of a page or the level of a heading, both counted from 1.
    pub number: u32,
    /// Where it begins in the text, in characters (Unicode scalar values) from its start.
    pub start: usize,
}

/// The kinds of parts that readers recognise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionKind {
    /// A page of a PDF.
    Page,
    /// A heading of HTML, Markdown or DOCX.
    Heading,
}

/// Everything a reader is given.
struct Source<'a> {
    bytes: &'a [u8],
    /// The `charset` parameter of the media type.
    charset: Option<&'a str>,
    limits: &'a Limits,
    cancel: &'a Cancel,
}

impl Source<'_> {
    /// An error once the caller has stopped waiting.
    fn go_on(&self) -> Result<(), ExtractError> {
        if self.cancel.raised() {
            return Err(ExtractError::TooSlow(self.limits.time));
        }
        Ok(())
    }
}

/// Extracts the text of a document.
///
/// `media_type` may carry a `charset`; when it is empty or `application/octet-stream`, the type is found from the name and
/// the bytes.
///
/// # Errors
/// [`ExtractError::Unsupported`] for a type that no reader knows, [`ExtractError::Damaged`] when the bytes are not what the
/// type says, [`ExtractError::Locked`] for a document behind a password, and the others when a limit is reached.
pub fn extract(
    bytes: &[u8],
    media_type: &str,
    name: &str,
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    if bytes.len() > limits.input_bytes {
        return Err(ExtractError::too_large(
            "document",
            limits.input_bytes,
            "bytes",
        ));
    }
    let (essence, charset) = media::find(media_type, name, bytes);
    let Some(format) = media::format_of(&essence) else {
        return Err(ExtractError::Unsupported {
            media_type: essence,
        });
    };
    read_apart(format, bytes, charset, limits)
}

/// Whether a document would be read as a PDF.
pub(crate) fn is_pdf(bytes: &[u8], media_type: &str, name: &str) -> bool {
    let (essence, _) = media::find(media_type, name, bytes);
    media::format_of(&essence) == Some(Format::Pdf)
}

/// Runs the reader of `format` on its own thread.
fn read_apart(
    format: Format,
    bytes: &[u8],
    charset: Option<String>,
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    let (bytes, own) = (bytes.to_vec(), limits.clone());
    let outcome = bounded::run(STACK, limits.time, move |cancel| {
        let source = Source {
            bytes: &bytes,
            charset: charset.as_deref(),
            limits: &own,
            cancel,
        };
        read(format, &source)
    });
    match outcome {
        Ok(result) => result,
        Err(Stopped::TimedOut) => Err(ExtractError::TooSlow(limits.time)),
        Err(Stopped::Panicked) => Err(ExtractError::damaged(
            format,
            "its structure cannot be understood",
        )),
        Err(Stopped::NoThread) => Err(ExtractError::Busy),
    }
}

fn read(format: Format, source: &Source) -> Result<Extracted, ExtractError> {
    match format {
        Format::Pdf => pdf::read(source),
        Format::Docx => docx::read(source),
        Format::Html => html::read(source),
        Format::Markdown => markdown::read(source),
        Format::Csv => csv::read(source),
        Format::Plain => plain::read(source),
    }
}

#[cfg(test)]
mod tests;
