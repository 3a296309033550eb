//! HTML: the visible words, with blocks apart and headings kept as sections.

use ego_tree::iter::Edge;
use scraper::{Html, Node};

use super::html_blocks::{Layout, heading, layout, measure, silent};
use super::writer::Writer;
use super::{ExtractError, Extracted, Format, SectionKind, Source, plain};

/// How many bytes are searched for a declaration of the encoding (HTML Living Standard, 13.2.3.2).
const PRESCAN: usize = 1024;

/// Deepest nesting of elements; a person's page stays under a hundred.
const MAX_DEPTH: usize = 2_000;

/// How many nodes are read between two looks at the deadline.
const STRIDE: usize = 1 << 12;

/// Reads a page. Scripts, styles, navigation and hidden elements are left out.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    let declared = source.charset.or_else(|| meta_charset(source.bytes));
    let text = plain::decode(source.bytes, declared);
    let text = plain::unix_lines(&text);
    check_shape(&text, source)?;
    let page = Html::parse_document(&text);
    let mut reader = Reader {
        writer: Writer::new(source.limits.output_chars),
        heading: 0,
        preformatted: 0,
        silence: 0,
    };
    for (number, edge) in page.tree.root().traverse().enumerate() {
        if number % STRIDE == 0 {
            source.go_on()?;
        }
        match edge {
            Edge::Open(node) => reader.open(node.value())?,
            Edge::Close(node) => reader.close(node.value()),
        }
    }
    Ok(reader.writer.finish())
}

fn check_shape(text: &str, source: &Source) -> Result<(), ExtractError> {
    let shape = measure(text);
    if shape.tags > source.limits.html_tags {
        return Err(ExtractError::too_large(
            "page",
            source.limits.html_tags,
            "tags",
        ));
    }
    if shape.depth > MAX_DEPTH {
        return Err(ExtractError::TooDeep {
            format: Format::Html,
            limit: MAX_DEPTH,
        });
    }
    Ok(())
}

/// The label in `<meta charset="...">` or in its older `http-equiv` form.
fn meta_charset(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(PRESCAN)];
    let at = head
        .windows(8)
        .position(|window| window.eq_ignore_ascii_case(b"charset="))?;
    let value = &head[at + 8..];
    let value = value
        .strip_prefix(b"\"")
        .or(value.strip_prefix(b"'"))
        .unwrap_or(value);
    let end = value
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"-_:.".contains(byte)))?;
    let label = std::str::from_utf8(&value[..end]).ok()?;
    // A page that can be searched for an ASCII label is not in UTF-16, whatever it says.
    (!label.to_ascii_lowercase().starts_with("utf-16")).then_some(label)
}

struct Reader {
    writer: Writer,
    /// Where the open heading begins.
    heading: usize,
    /// How many `pre` elements are open.
    preformatted: usize,
    /// How many elements that are left out are open.
    silence: usize,
}

impl Reader {
    fn open(&mut self, node: &Node) -> Result<(), ExtractError> {
        match node {
            Node::Element(element) if self.silence > 0 || silent(element) => self.silence += 1,
            Node::Element(element) => self.begin(element.name())?,
            Node::Text(text) if self.silence == 0 && self.preformatted > 0 => {
                self.writer.push(text)?;
            }
            Node::Text(text) if self.silence == 0 => self.writer.words(text)?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, node: &Node) {
        match node {
            Node::Element(_) if self.silence > 0 => self.silence -= 1,
            Node::Element(element) => self.end(element.name()),
            _ => {}
        }
    }

    fn begin(&mut self, name: &str) -> Result<(), ExtractError> {
        self.separate(name);
        match name {
            "br" => self.writer.line(),
            "pre" | "textarea" => self.preformatted += 1,
            "li" => self.writer.push("- ")?,
            "td" | "th" if !self.writer.at_line_start() => self.writer.push("\t")?,
            _ if heading(name).is_some() => self.heading = self.writer.position(),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        if matches!(name, "pre" | "textarea") {
            self.preformatted = self.preformatted.saturating_sub(1);
        }
        if let Some(level) = heading(name) {
            let title = self.writer.since(self.heading);
            if !title.is_empty() {
                self.writer
                    .section(SectionKind::Heading, title, level, self.heading);
            }
        }
        self.separate(name);
    }

    fn separate(&mut self, name: &str) {
        match layout(name) {
            Layout::Inline => {}
            // What is in a cell or an item stays beside its tab or its dash.
            Layout::Line | Layout::Paragraph if self.writer.after_mark() => {}
            Layout::Line => self.writer.line(),
            Layout::Paragraph => self.writer.paragraph(),
        }
    }
}
