//! PDF: the text of each page in the order in which the page shows it, with the pages as sections.
//!
//! The file's structure is read by `lopdf`; where text stands on a page is worked out here, because only then words, lines and
//! paragraphs can be told apart.

use std::collections::HashMap;

use lopdf::{Document, Error, LoadOptions};

use super::pdf_layout::Layout;
use super::pdf_page::{Shared, show};
use super::writer::Writer;
use super::{ExtractError, Extracted, Format, SectionKind, Source};

/// Reads a document that is not encrypted, or is encrypted with an empty password.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    let document = load(source)?;
    let mut writer = Writer::new(source.limits.output_chars);
    let mut shared = Shared {
        document: &document,
        source,
        budget: source.limits.inflated_bytes,
        fonts: HashMap::new(),
    };
    let mut pages = 0_usize;
    for page in document.page_iter() {
        source.go_on()?;
        pages += 1;
        if pages > source.limits.pages {
            return Err(ExtractError::too_large(
                "document",
                source.limits.pages,
                "pages",
            ));
        }
        writer.paragraph();
        let number = u32::try_from(pages).unwrap_or(u32::MAX);
        writer.section(SectionKind::Page, String::new(), number, writer.position());
        show(&mut shared, page, Layout::new(&mut writer))?;
    }
    if pages == 0 {
        return Err(damaged("it has no pages"));
    }
    Ok(writer.finish())
}

fn load(source: &Source) -> Result<Document, ExtractError> {
    let options = LoadOptions {
        password: Some(String::new()),
        max_decompressed_size: Some(source.limits.inflated_bytes),
        ..LoadOptions::default()
    };
    let document = Document::load_mem_with_options(source.bytes, options)
        .map_err(|error| explain(&error, source))?;
    if document.is_encrypted() {
        return Err(ExtractError::Locked(Format::Pdf));
    }
    Ok(document)
}

fn damaged(detail: &str) -> ExtractError {
    ExtractError::damaged(Format::Pdf, detail)
}

/// What a library's error means to the owner of the file.
fn explain(error: &Error, source: &Source) -> ExtractError {
    match error {
        Error::InvalidPassword | Error::Decryption(_) => ExtractError::Locked(Format::Pdf),
        Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. }) => {
            ExtractError::too_large("unpacked document", source.limits.inflated_bytes, "bytes")
        }
        Error::Parse(lopdf::ParseError::InvalidFileHeader) => {
            damaged("it does not begin like a PDF")
        }
        Error::Xref(_) | Error::MissingXrefEntry => {
            damaged("the table of its objects is missing or incomplete")
        }
        Error::ReferenceCycle(_) | Error::ReferenceLimit | Error::RecursionLimit => {
            damaged("its objects refer to each other in a circle")
        }
        Error::Decompress(_) | Error::InvalidStream(_) | Error::InvalidObjectStream(_) => {
            damaged("a part of it cannot be unpacked")
        }
        _ => damaged("its structure cannot be understood"),
    }
}
