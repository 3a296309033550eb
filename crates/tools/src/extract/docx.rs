//! DOCX: the text of `word/document.xml` (ECMA-376, Part 1, 17), headings kept as sections.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::docx_styles::{Styles, attribute, outline_level};
use super::writer::Writer;
use super::zip::Archive;
use super::{ExtractError, Extracted, Format, SectionKind, Source, plain};

/// How many events are read between two looks at the deadline.
const STRIDE: usize = 1 << 12;

/// Reads a document. Deleted text, field codes and the fallbacks of drawings are left out; footnotes follow the text.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    if is_encrypted(source.bytes) {
        return Err(ExtractError::Locked(Format::Docx));
    }
    let mut archive = Archive::open(source.bytes, Format::Docx, source.limits)?;
    let Some(document) = archive.part("word/document.xml")? else {
        return Err(damaged("it has no part word/document.xml"));
    };
    let styles = archive.part("word/styles.xml")?.unwrap_or_default();
    let mut body = Body {
        writer: Writer::new(source.limits.output_chars),
        styles: Styles::parse(&plain::decode(&styles, None)),
        paragraph: Paragraph::default(),
        open: Vec::new(),
    };
    drop(styles);
    body.read(&document, source)?;
    drop(document);
    if let Some(notes) = archive.part("word/footnotes.xml")? {
        body.writer.paragraph();
        body.read(&notes, source)?;
    }
    Ok(body.writer.finish())
}

/// A document with a password is a compound file with a stream of this name that holds the encrypted archive
/// ([MS-OFFCRYPTO], 2.3.4.4). Names in compound files are UTF-16.
fn is_encrypted(bytes: &[u8]) -> bool {
    const SIGNATURE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    bytes.starts_with(SIGNATURE) && bytes.windows(name.len()).any(|window| window == name)
}

fn damaged(detail: impl Into<String>) -> ExtractError {
    ExtractError::damaged(Format::Docx, detail)
}

/// The elements that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Paragraph,
    Table,
    Row,
    Cell,
    Text,
    /// What is in it is no text of the document.
    Silent,
    Other,
}

impl Element {
    fn of(name: &str) -> Self {
        match name {
            "p" => Self::Paragraph,
            "tbl" => Self::Table,
            "tr" => Self::Row,
            "tc" => Self::Cell,
            "t" => Self::Text,
            "del" | "moveFrom" | "Fallback" | "instrText" => Self::Silent,
            _ => Self::Other,
        }
    }
}

/// What is known of the open paragraph.
#[derive(Debug, Default)]
struct Paragraph {
    level: Option<u32>,
    /// It is an item of a list.
    item: bool,
    /// Something was written.
    begun: bool,
    start: usize,
}

struct Body {
    writer: Writer,
    styles: Styles,
    paragraph: Paragraph,
    open: Vec<Element>,
}

impl Body {
    fn read(&mut self, xml: &[u8], source: &Source) -> Result<(), ExtractError> {
        let xml = plain::decode(xml, None);
        let mut reader = Reader::from_str(&xml);
        for number in 0_usize.. {
            if number.is_multiple_of(STRIDE) {
                source.go_on()?;
            }
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(event) => self.event(event, source.limits.xml_depth)?,
                Err(_) => return Err(damaged("its XML is not well-formed")),
            }
        }
        if self.open.is_empty() {
            Ok(())
        } else {
            Err(damaged("its XML ends in the middle"))
        }
    }

    fn event(&mut self, event: Event, depth: usize) -> Result<(), ExtractError> {
        match event {
            Event::Start(tag) => {
                if self.open.len() >= depth {
                    return Err(ExtractError::TooDeep {
                        format: Format::Docx,
                        limit: depth,
                    });
                }
                let element = Element::of(tag.local_name().as_ref());
                self.begin(element, &tag)?;
                self.open.push(element);
            }
            Event::End(_) => {
                if let Some(element) = self.open.pop() {
                    self.end(element);
                }
            }
            Event::Empty(tag) => self.empty(&tag)?,
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(name) => self.reference(&name)?,
            Event::DocType(_) => return Err(damaged("it declares a document type")),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, element: Element, tag: &BytesStart) -> Result<(), ExtractError> {
        match element {
            Element::Paragraph => self.paragraph = Paragraph::default(),
            Element::Table => self.writer.paragraph(),
            Element::Row => self.writer.line(),
            Element::Cell if !self.silent() => self.writer.column(),
            Element::Other => self.empty(tag)?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, element: Element) {
        match element {
            Element::Paragraph => self.end_paragraph(),
            Element::Row => self.writer.line(),
            Element::Table => self.writer.paragraph(),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        if let Some(level) = paragraph.level
            && paragraph.begun
        {
            let title = self.writer.since(paragraph.start);
            self.writer
                .section(SectionKind::Heading, title, level, paragraph.start);
        }
        if self.open.contains(&Element::Cell) {
            self.writer.space();
        } else if paragraph.item {
            self.writer.line();
        } else {
            self.writer.paragraph();
        }
    }

    /// Elements that stand for a character or say something about the paragraph.
    fn empty(&mut self, tag: &BytesStart) -> Result<(), ExtractError> {
        match tag.local_name().as_ref() {
            "tab" if self.in_run() => self.write("\t")?,
            "br" | "cr" => self.writer.line(),
            "noBreakHyphen" => self.write("-")?,
            "p" => self.end_paragraph(),
            "numPr" => self.paragraph.item = true,
            "outlineLvl" => self.paragraph.level = self.paragraph.level.or(outline_level(tag)),
            "pStyle" => {
                let style = attribute(tag, "val").unwrap_or_default();
                self.paragraph.level = self.styles.level(&style).or(self.paragraph.level);
            }
            _ => {}
        }
        Ok(())
    }

    /// A tab inside of properties is a tab stop and no character; runs are directly below paragraphs or links, properties are
    /// never their parents.
    fn in_run(&self) -> bool {
        self.paragraph.begun
    }

    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        if self.open.last() == Some(&Element::Text) {
            self.write(text)?;
        }
        Ok(())
    }

    fn reference(&mut self, name: &str) -> Result<(), ExtractError> {
        let predefined = quick_xml::escape::resolve_xml_entity(name);
        let character = name.strip_prefix('#').and_then(character);
        match (predefined, character) {
            (Some(text), _) => self.text(text),
            (None, Some(character)) => self.text(character.encode_utf8(&mut [0; 4])),
            (None, None) => Err(damaged(format!(
                "it uses an unknown entity &{};",
                shorten(name)
            ))),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), ExtractError> {
        if self.silent() {
            return Ok(());
        }
        if !self.paragraph.begun {
            self.paragraph.begun = true;
            self.paragraph.start = self.writer.position();
            if self.paragraph.item && self.writer.at_line_start() && self.paragraph.level.is_none()
            {
                self.writer.push("- ")?;
            }
        }
        self.writer.push(text)
    }

    fn silent(&self) -> bool {
        self.open.contains(&Element::Silent)
    }
}

/// The character of a reference like `#x20ac` without its `#`.
fn character(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    code.ok().and_then(char::from_u32)
}

fn shorten(name: &str) -> String {
    name.chars().take(20).collect()
}
