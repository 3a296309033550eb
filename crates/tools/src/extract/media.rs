//! Finds out what kind of document bytes are.

use super::Format;

/// How much of a file is looked at to tell text from other bytes.
const SNIFFED: usize = 8 << 10;

/// Media types by the extension of a file's name.
const EXTENSIONS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xhtml", "application/xhtml+xml"),
    ("md", "text/markdown"),
    ("markdown", "text/markdown"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("text", "text/plain"),
    ("log", "text/plain"),
    ("rst", "text/plain"),
    ("json", "application/json"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("xml", "application/xml"),
    ("toml", "application/toml"),
];

/// The media type of a document, from what its first bytes say and, where they say nothing, from the extension of its name.
///
/// Bytes that look like text and have an unknown extension are `text/plain`, any others `application/octet-stream`.
pub fn media_type_of(name: &str, bytes: &[u8]) -> String {
    let named = by_extension(name);
    let found = infer::get(bytes).map(|kind| kind.mime_type());
    match (found, named) {
        // A DOCX whose first entries are in an unusual order looks like any archive.
        (None | Some("application/zip"), Some(named)) => named.to_owned(),
        // Text may begin like a script, a page or a mail, and the name knows better.
        (Some(found), Some(named)) if found.starts_with("text/") => named.to_owned(),
        (Some(found), _) => found.to_owned(),
        (None, None) if looks_like_text(bytes) => "text/plain".to_owned(),
        (None, None) => "application/octet-stream".to_owned(),
    }
}

fn by_extension(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    EXTENSIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension))
        .map(|(_, media_type)| *media_type)
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(SNIFFED)];
    encoding_rs::Encoding::for_bom(head).is_some()
        || !head
            .iter()
            .any(|byte| matches!(byte, 0x00..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f))
}

/// The essence of the media type of a document and its `charset`: as it is given or, where it is not, as it is found.
pub(super) fn find(media_type: &str, name: &str, bytes: &[u8]) -> (String, Option<String>) {
    let (essence, charset) = parse(media_type);
    if essence.is_empty() || essence == "application/octet-stream" {
        return (media_type_of(name, bytes), charset);
    }
    (essence, charset)
}

/// Splits a media type into its lower-case essence and its `charset`.
fn parse(media_type: &str) -> (String, Option<String>) {
    let mut parts = media_type.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_owned())
    });
    (essence, charset)
}

/// The reader for a media type.
pub(super) fn format_of(essence: &str) -> Option<Format> {
    Some(match essence {
        "application/pdf" | "application/x-pdf" => Format::Pdf,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Format::Docx,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "text/markdown" | "text/x-markdown" => Format::Markdown,
        "text/csv" | "application/csv" | "text/tab-separated-values" => Format::Csv,
        "application/json" | "application/xml" | "application/yaml" | "application/x-yaml"
        | "application/toml" => Format::Plain,
        "text/rtf" => return None,
        other if other.starts_with("text/") => Format::Plain,
        other
            if other.ends_with("+json") || other.ends_with("+xml") || other.ends_with("+yaml") =>
        {
            Format::Plain
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_win_over_the_name_where_they_are_sure() {
        assert_eq!(media_type_of("a.txt", b"%PDF-1.7\n"), "application/pdf");
        assert_eq!(
            media_type_of("a.md", b"<!DOCTYPE html><p>"),
            "text/markdown"
        );
        assert_eq!(media_type_of("a", b"<!DOCTYPE html><p>"), "text/html");
    }

    #[test]
    fn the_name_decides_where_the_bytes_say_nothing() {
        assert_eq!(media_type_of("A.PDF", b"\x00\x01\x02"), "application/pdf");
        assert_eq!(media_type_of("rows.csv", b"a,b\n"), "text/csv");
        assert_eq!(media_type_of("notes", "grüße".as_bytes()), "text/plain");
        assert_eq!(
            media_type_of("notes", b"\x00\x01"),
            "application/octet-stream"
        );
        assert_eq!(media_type_of("", b""), "text/plain");
    }

    #[test]
    fn parameters_are_split_off() {
        let parsed = parse("Text/HTML; level=1; Charset=\"ISO-8859-1\"");
        assert_eq!(
            parsed,
            ("text/html".to_owned(), Some("ISO-8859-1".to_owned()))
        );
        assert_eq!(parse(""), (String::new(), None));
    }

    #[test]
    fn unknown_types_have_no_reader() {
        assert_eq!(format_of("image/png"), None);
        assert_eq!(format_of("text/x-rust"), Some(Format::Plain));
        assert_eq!(format_of("application/ld+json"), Some(Format::Plain));
    }
}
