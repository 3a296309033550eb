//! Markdown: the words without the marks, headings kept as sections.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::writer::Writer;
use super::{ExtractError, Extracted, SectionKind, Source, plain};

/// How many events are read between two looks at the deadline.
const STRIDE: usize = 1 << 12;

/// Reads Markdown (`CommonMark` with tables, strikethrough, task lists and footnotes). HTML inside it is left out.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    let text = plain::decode(source.bytes, source.charset);
    let text = plain::unix_lines(&text);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader {
        writer: Writer::new(source.limits.output_chars),
        heading: 0,
        metadata: false,
        lists: 0,
    };
    for (number, event) in Parser::new_ext(&text, options).enumerate() {
        if number % STRIDE == 0 {
            source.go_on()?;
        }
        reader.event(event)?;
    }
    Ok(reader.writer.finish())
}

struct Reader {
    writer: Writer,
    /// Where the open heading begins.
    heading: usize,
    /// Inside a front matter block.
    metadata: bool,
    /// How many lists are open.
    lists: usize,
}

impl Reader {
    fn event(&mut self, event: Event) -> Result<(), ExtractError> {
        match event {
            Event::Start(tag) => self.open(&tag)?,
            Event::End(tag) => self.close(tag),
            Event::Text(text) if !self.metadata => self.writer.push(&text)?,
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.writer.push(&text)?;
            }
            Event::SoftBreak | Event::HardBreak => self.writer.line(),
            Event::Rule => self.writer.paragraph(),
            Event::TaskListMarker(done) => self.writer.push(if done { "[x] " } else { "[ ] " })?,
            Event::FootnoteReference(label) => self.writer.push(&format!("[{label}]"))?,
            Event::Text(_) | Event::Html(_) | Event::InlineHtml(_) => {}
        }
        Ok(())
    }

    fn open(&mut self, tag: &Tag) -> Result<(), ExtractError> {
        match tag {
            Tag::Heading { .. } => {
                self.writer.paragraph();
                self.heading = self.writer.position();
            }
            Tag::Paragraph if self.lists > 0 && !self.writer.at_line_start() => {}
            Tag::Paragraph | Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::Table(_) => {
                self.writer.paragraph();
            }
            Tag::List(_) => {
                if self.lists == 0 {
                    self.writer.paragraph();
                }
                self.lists += 1;
            }
            Tag::Item => {
                self.writer.line();
                self.writer.push("- ")?;
            }
            Tag::TableHead | Tag::TableRow => self.writer.line(),
            Tag::TableCell if !self.writer.at_line_start() => self.writer.push("\t")?,
            Tag::FootnoteDefinition(label) => {
                self.writer.paragraph();
                self.writer.push(&format!("[{label}] "))?;
            }
            Tag::MetadataBlock(_) => self.metadata = true,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let title = self.writer.since(self.heading);
                self.writer
                    .section(SectionKind::Heading, title, number(level), self.heading);
                self.writer.paragraph();
            }
            TagEnd::Paragraph if self.lists > 0 => self.writer.line(),
            TagEnd::Paragraph | TagEnd::BlockQuote(_) | TagEnd::CodeBlock | TagEnd::Table => {
                self.writer.paragraph();
            }
            TagEnd::List(_) => {
                self.lists = self.lists.saturating_sub(1);
                if self.lists == 0 {
                    self.writer.paragraph();
                }
            }
            TagEnd::Item | TagEnd::TableHead | TagEnd::TableRow => self.writer.line(),
            TagEnd::MetadataBlock(_) => self.metadata = false,
            _ => {}
        }
    }
}

fn number(level: HeadingLevel) -> u32 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
