//! Builds the text of a document block by block and counts its characters.

use super::{ExtractError, Extracted, Section, SectionKind};

/// What separates the next words from those before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Column,
    Line,
    Paragraph,
}

/// Collects text. Gaps are remembered and written only when more text follows, so that a document never begins or ends with
/// one and two of them become one.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    chars: usize,
    limit: usize,
    gap: Gap,
    sections: Vec<Section>,
}

impl Writer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            chars: 0,
            limit,
            gap: Gap::None,
            sections: Vec::new(),
        }
    }

    /// Wishes for a space before what follows.
    pub(super) fn space(&mut self) {
        self.gap = self.gap.max(Gap::Space);
    }

    /// Wishes for a tab before what follows, unless a line begins there.
    pub(super) fn column(&mut self) {
        self.gap = self.gap.max(Gap::Column);
    }

    /// Wishes for a new line before what follows.
    pub(super) fn line(&mut self) {
        self.gap = self.gap.max(Gap::Line);
    }

    /// Wishes for an empty line before what follows.
    pub(super) fn paragraph(&mut self) {
        self.gap = Gap::Paragraph;
    }

    /// Whether the next words begin a line.
    pub(super) fn at_line_start(&self) -> bool {
        self.gap >= Gap::Line || self.text.is_empty() || self.text.ends_with('\n')
    }

    /// Whether the last thing written is the mark of a list item or the tab before a cell.
    pub(super) fn after_mark(&self) -> bool {
        self.gap == Gap::None
            && (self.text.ends_with('\t') || self.text.ends_with("\n- ") || self.text == "- ")
    }

    /// Writes text as it is, except for control characters.
    pub(super) fn push(&mut self, text: &str) -> Result<(), ExtractError> {
        if text.is_empty() {
            return Ok(());
        }
        self.fill_gap()?;
        for piece in text.split_inclusive(unwanted) {
            let piece = piece.strip_suffix(unwanted).unwrap_or(piece);
            self.count(piece.chars().count())?;
            self.text.push_str(piece);
        }
        Ok(())
    }

    /// Writes words: runs of white space become one space.
    pub(super) fn words(&mut self, text: &str) -> Result<(), ExtractError> {
        if text.is_empty() {
            return Ok(());
        }
        if text.starts_with(char::is_whitespace) {
            self.space();
        }
        for word in text.split_whitespace() {
            self.push(word)?;
            self.space();
        }
        if !text.ends_with(char::is_whitespace) && self.gap == Gap::Space {
            self.gap = Gap::None;
        }
        Ok(())
    }

    /// Where the next words will stand, in characters.
    pub(super) fn position(&self) -> usize {
        self.chars + self.gap_text().len()
    }

    /// Notes that a part begins at character `start`.
    pub(super) fn section(&mut self, kind: SectionKind, title: String, number: u32, start: usize) {
        self.sections.push(Section {
            kind,
            title,
            number,
            start,
        });
    }

    /// The words written since character `start`, for the title of a heading.
    pub(super) fn since(&self, start: usize) -> String {
        let mut back = self.chars.saturating_sub(start);
        let mut from = self.text.len();
        for (index, _) in self.text.char_indices().rev() {
            if back == 0 {
                break;
            }
            back -= 1;
            from = index;
        }
        self.text[from..]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub(super) fn finish(mut self) -> Extracted {
        let chars = self.chars;
        for section in &mut self.sections {
            section.start = section.start.min(chars);
        }
        Extracted {
            text: self.text,
            sections: self.sections,
        }
    }

    fn gap_text(&self) -> &'static str {
        if self.text.is_empty() {
            return "";
        }
        let ended = self.text.ends_with('\n');
        match self.gap {
            Gap::None => "",
            Gap::Space if ended || self.text.ends_with([' ', '\t']) => "",
            Gap::Space => " ",
            Gap::Column if ended || self.text.ends_with('\t') => "",
            Gap::Column => "\t",
            Gap::Line if ended => "",
            Gap::Paragraph if self.text.ends_with("\n\n") => "",
            Gap::Paragraph if !ended => "\n\n",
            Gap::Line | Gap::Paragraph => "\n",
        }
    }

    fn fill_gap(&mut self) -> Result<(), ExtractError> {
        let gap = self.gap_text();
        self.gap = Gap::None;
        self.count(gap.len())?;
        self.text.push_str(gap);
        Ok(())
    }

    fn count(&mut self, chars: usize) -> Result<(), ExtractError> {
        self.chars += chars;
        if self.chars > self.limit {
            return Err(ExtractError::too_large("text", self.limit, "characters"));
        }
        Ok(())
    }
}

/// Control characters that are no part of a text; databases refuse some of them.
fn unwanted(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t')) || character == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stand_between_words_and_never_at_the_ends() {
        let mut writer = Writer::new(100);
        writer.paragraph();
        writer.words("  one\n two ").unwrap();
        writer.line();
        writer.space();
        writer.push("three").unwrap();
        writer.paragraph();
        writer.line();
        writer.push("four").unwrap();
        writer.paragraph();
        assert_eq!(writer.finish().text, "one two\nthree\n\nfour");
    }

    #[test]
    fn words_that_touch_stay_together() {
        let mut writer = Writer::new(100);
        writer.words("foot").unwrap();
        writer.words("note ").unwrap();
        writer.words("x").unwrap();
        assert_eq!(writer.finish().text, "footnote x");
    }

    #[test]
    fn control_characters_vanish_and_the_limit_counts_characters() {
        let mut writer = Writer::new(3);
        writer.push("\u{feff}a\0b\u{7}\u{85}ä").unwrap();
        assert!(writer.push("d").is_err());
        let mut writer = Writer::new(3);
        writer.push("äöü").unwrap();
        assert_eq!(writer.finish().text, "äöü");
    }

    #[test]
    fn a_title_is_what_was_written_since() {
        let mut writer = Writer::new(100);
        writer.push("intro").unwrap();
        writer.paragraph();
        let start = writer.position();
        writer.words("Ä  title").unwrap();
        assert_eq!((start, writer.since(start).as_str()), (7, "Ä title"));
    }
}
