//! The `ToUnicode` maps of PDF fonts (ISO 32000-1, 9.10.3): which characters the codes of a string stand for.
//!
//! Only what such maps contain in practice is read. Ranges stay ranges, so that a map of a few bytes that claims all codes
//! costs a few bytes.

use std::collections::HashMap;

/// Most entries of one map; a code has at most two bytes in practice.
const MAX_ENTRIES: usize = 1 << 17;

/// A map from codes to text.
#[derive(Debug, Default)]
pub(super) struct CMap {
    /// Lengths in bytes, lowest and highest code.
    spaces: Vec<(usize, u32, u32)>,
    /// By length in bytes and code.
    single: HashMap<(usize, u32), String>,
    ranges: Vec<Range>,
}

/// Codes that follow each other and stand for characters that follow each other.
#[derive(Debug)]
struct Range {
    length: usize,
    low: u32,
    high: u32,
    first: String,
}

impl CMap {
    /// Reads a map, leaving out what is not understood.
    pub(super) fn parse(source: &[u8]) -> Self {
        let mut map = Self::default();
        let mut tokens = Tokens(source);
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(b"begincodespacerange") => map.read_spaces(&mut tokens),
                Token::Word(b"beginbfchar") => map.read_chars(&mut tokens),
                Token::Word(b"beginbfrange") => map.read_ranges(&mut tokens),
                _ => {}
            }
        }
        map.ranges.sort_by_key(|range| (range.length, range.low));
        map
    }

    /// Takes the next code off `bytes`: its length in bytes and its value.
    pub(super) fn code(&self, bytes: &[u8], usual: usize) -> (usize, u32) {
        for length in 1..=bytes.len().min(4) {
            let code = number(&bytes[..length]);
            let inside = |&(long, low, high): &(usize, u32, u32)| {
                long == length && (low..=high).contains(&code)
            };
            if self.spaces.iter().any(inside) {
                return (length, code);
            }
        }
        let length = usual.min(bytes.len());
        (length, number(&bytes[..length]))
    }

    /// Adds what a code stands for; `false` when the map does not know it.
    pub(super) fn write(&self, length: usize, code: u32, text: &mut String) -> bool {
        if let Some(known) = self.single.get(&(length, code)) {
            text.push_str(known);
            return true;
        }
        let after = self
            .ranges
            .partition_point(|range| (range.length, range.low) <= (length, code));
        let range = after
            .checked_sub(1)
            .and_then(|index| self.ranges.get(index));
        match range {
            Some(range) if range.length == length && code <= range.high => {
                range.write(code, text);
                true
            }
            _ => false,
        }
    }

    fn full(&self) -> bool {
        self.spaces.len() + self.single.len() + self.ranges.len() >= MAX_ENTRIES
    }

    fn read_spaces(&mut self, tokens: &mut Tokens) {
        while let Some((low, high)) = tokens.pair() {
            if self.spaces.len() < 64 {
                self.spaces.push((low.len(), number(&low), number(&high)));
            }
        }
    }

    fn read_chars(&mut self, tokens: &mut Tokens) {
        while let Some((code, text)) = tokens.pair() {
            if self.full() {
                return;
            }
            self.single
                .insert((code.len(), number(&code)), utf16(&text));
        }
    }

    fn read_ranges(&mut self, tokens: &mut Tokens) {
        while let Some((low, high)) = tokens.pair() {
            let (length, low, high) = (low.len(), number(&low), number(&high));
            match tokens.next() {
                _ if self.full() => return,
                Some(Token::Hex(first)) if low <= high => self.ranges.push(Range {
                    length,
                    low,
                    high,
                    first: utf16(&first),
                }),
                Some(Token::Hex(_)) => {}
                Some(Token::Open) => self.read_list(length, low, high, tokens),
                _ => return,
            }
        }
    }

    fn read_list(&mut self, length: usize, low: u32, high: u32, tokens: &mut Tokens) {
        let mut code = low;
        while let Some(Token::Hex(text)) = tokens.next() {
            if code <= high && !self.full() {
                self.single.insert((length, code), utf16(&text));
            }
            code = code.saturating_add(1);
        }
    }
}

impl Range {
    /// The last character of the first text is counted up.
    fn write(&self, code: u32, text: &mut String) {
        let mut characters = self.first.chars();
        let last = characters.next_back();
        text.push_str(characters.as_str());
        let counted = last.and_then(|last| u32::from(last).checked_add(code - self.low));
        text.extend(counted.and_then(char::from_u32));
    }
}

/// The code of up to four bytes, the highest first.
fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |code, byte| (code << 8) | u32::from(*byte))
}

fn utf16(bytes: &[u8]) -> String {
    if let [byte] = bytes {
        return char::from(*byte).to_string();
    }
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair));
    char::decode_utf16(units).filter_map(Result::ok).collect()
}

enum Token<'a> {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(&'a [u8]),
}

/// The tokens of a map's `PostScript`.
struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let (first, rest) = self.0.split_first()?;
        Some(match first {
            b'[' => self.take(rest, Token::Open),
            b']' => self.take(rest, Token::Close),
            b'<' if !rest.starts_with(b"<") => {
                let end = rest.iter().position(|byte| *byte == b'>')?;
                let token = Token::Hex(hex(&rest[..end]));
                self.take(&rest[end + 1..], token)
            }
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"[]<>%".contains(byte);
                let end = rest.iter().position(ends).unwrap_or(rest.len()) + 1;
                let token = Token::Word(&self.0[..end]);
                self.take(&self.0[end..], token)
            }
        })
    }

    /// Two strings, or nothing at the end of a section.
    fn pair(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let Some(Token::Hex(first)) = self.next() else {
            return None;
        };
        match self.next() {
            Some(Token::Hex(second)) => Some((first, second)),
            _ => None,
        }
    }

    fn take(&mut self, rest: &'a [u8], token: Token<'a>) -> Token<'a> {
        self.0 = rest;
        token
    }

    fn skip_space(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            if !self.0.starts_with(b"%") {
                return;
            }
            let end = self.0.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.0 = &self.0[end.unwrap_or(self.0.len())..];
        }
    }
}

/// The bytes of a hexadecimal string; a missing last digit is 0.
fn hex(digits: &[u8]) -> Vec<u8> {
    let values: Vec<u8> = digits
        .iter()
        .filter_map(|digit| char::from(*digit).to_digit(16))
        .filter_map(|value| u8::try_from(value).ok())
        .collect();
    values
        .chunks(2)
        .map(|pair| (pair[0] << 4) | pair.get(1).copied().unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(map: &CMap, bytes: &[u8]) -> String {
        let (mut rest, mut text) = (bytes, String::new());
        while !rest.is_empty() {
            let (length, code) = map.code(rest, 2);
            map.write(length, code, &mut text);
            rest = &rest[length..];
        }
        text
    }

    #[test]
    fn characters_ranges_and_lists_are_read() {
        let map = CMap::parse(
            b"/CIDInit /ProcSet findresource begin begincmap % a comment <00>
            1 begincodespacerange <0000> <FFFF> endcodespacerange
            2 beginbfchar <0003> <0020> <0004> <00660066> endbfchar
            3 beginbfrange <0010><0012><0041> <0020> <0021> [<0078> <0079>] <0030> <0030> <D83DDE00> endbfrange endcmap",
        );
        assert_eq!(
            text(&map, b"\0\x10\0\x12\0\x03\0\x04\0\x20\0\x21\0\x30\0\x99"),
            "AC ffxy😀"
        );
    }

    #[test]
    fn a_range_over_everything_is_one_entry() {
        let map = CMap::parse(b"beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange");
        assert_eq!(map.ranges.len(), 1);
        assert_eq!(text(&map, b"\0\0\0\x01"), "");
    }

    #[test]
    fn codes_of_one_and_two_bytes_mix() {
        let map = CMap::parse(
            b"begincodespacerange <00> <7F> <8000> <FFFF> endcodespacerange beginbfchar <41> <0061> <8001> <0062> endbfchar",
        );
        assert_eq!(text(&map, b"A\x80\x01A"), "aba");
    }

    #[test]
    fn broken_maps_do_no_harm() {
        for source in [
            "<",
            "beginbfrange <",
            "beginbfchar <00>",
            "beginbfrange <05> <01> <0041> endbfrange",
            "[]<<>>%",
        ] {
            assert_eq!(text(&CMap::parse(source.as_bytes()), b"\x05\x01"), "");
        }
    }
}
