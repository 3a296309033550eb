//! Fonts of a PDF (ISO 32000-1, 9.5 to 9.10): what the codes of a string say and how wide they are.

use lopdf::{Dictionary, Document, Object, Stream};

use super::pdf_cmap::CMap;
use super::pdf_metrics::widths_of;

/// Largest `ToUnicode` map, in bytes after unpacking.
const MAX_CMAP: usize = 4 << 20;

/// Width of a glyph when the font does not say it, in thousandths of the font size.
const USUAL_WIDTH: f64 = 500.0;

/// A font as far as reading needs it.
#[derive(Debug)]
pub(super) struct Font {
    map: Option<CMap>,
    /// What the 256 codes of a simple font stand for.
    table: Option<Vec<String>>,
    /// Codes are UTF-16 themselves.
    utf16: bool,
    /// Usual length of a code, in bytes.
    length: usize,
    widths: Widths,
}

/// Widths of glyphs, in thousandths of the font size.
#[derive(Debug, Default)]
struct Widths {
    usual: f64,
    /// First code, last code and the widths of the codes, in order; one width counts for all of them.
    runs: Vec<(u32, u32, Vec<f64>)>,
}

/// A glyph that a string shows.
pub(super) struct Glyph {
    /// In units of the font size.
    pub(super) width: f64,
    /// The code is one byte and a space, which word spacing applies to.
    pub(super) is_space: bool,
}

impl Font {
    pub(super) fn load(document: &Document, font: &Dictionary) -> Self {
        let composite = name(document, font, b"Subtype") == b"Type0";
        let encoding = name(document, font, b"Encoding");
        Self {
            map: to_unicode(document, font),
            table: (!composite).then(|| code_table(document, font)),
            utf16: composite
                && (ends_with(encoding, b"-UCS2-H") || ends_with(encoding, b"-UTF16-H")),
            length: if composite { 2 } else { 1 },
            widths: if composite {
                composite_widths(document, font)
            } else {
                simple_widths(document, font)
            },
        }
    }

    /// Adds the text of a string to `text` and tells each glyph to `shown`.
    pub(super) fn decode(&self, bytes: &[u8], text: &mut String, mut shown: impl FnMut(&Glyph)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, code) = match (&self.map, self.length) {
                (Some(map), 2) => map.code(rest, 2),
                (_, usual) => CMap::default().code(rest, usual),
            };
            self.write(length, code, text);
            shown(&Glyph {
                width: self.widths.of(code) / 1000.0,
                is_space: length == 1 && code == 32,
            });
            rest = &rest[length..];
        }
        if text.contains(LIGATURES) {
            *text = text.chars().fold(String::new(), push_letters);
        }
    }

    fn write(&self, length: usize, code: u32, text: &mut String) {
        if let Some(map) = &self.map
            && map.write(length, code, text)
        {
            return;
        }
        if let Some(table) = &self.table {
            let known = usize::try_from(code).ok().and_then(|code| table.get(code));
            text.push_str(known.map_or("", String::as_str));
        } else if self.utf16 {
            text.extend(char::from_u32(code));
        }
    }
}

impl Widths {
    fn of(&self, code: u32) -> f64 {
        let after = self.runs.partition_point(|(first, ..)| *first <= code);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        let width = run.and_then(|(first, last, widths)| match widths.as_slice() {
            _ if code > *last => None,
            [width] => Some(*width),
            widths => widths.get(usize::try_from(code - first).ok()?).copied(),
        });
        width.unwrap_or(self.usual)
    }
}

/// The ligatures of Latin typesetting, U+FB00 to U+FB06. Nobody searches for them.
const LIGATURES: [char; 7] = [
    '\u{fb00}', '\u{fb01}', '\u{fb02}', '\u{fb03}', '\u{fb04}', '\u{fb05}', '\u{fb06}',
];

/// Adds a character, a ligature as its letters.
fn push_letters(mut text: String, character: char) -> String {
    const LETTERS: [&str; 7] = ["ff", "fi", "fl", "ffi", "ffl", "st", "st"];
    match LIGATURES.iter().position(|ligature| *ligature == character) {
        Some(index) => text.push_str(LETTERS[index]),
        None => text.push(character),
    }
    text
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.ends_with(end)
}

fn get<'a>(document: &'a Document, dictionary: &'a Dictionary, key: &[u8]) -> Option<&'a Object> {
    dictionary.get_deref(key, document).ok()
}

fn name<'a>(document: &'a Document, dictionary: &'a Dictionary, key: &[u8]) -> &'a [u8] {
    get(document, dictionary, key)
        .and_then(|object| object.as_name().ok())
        .unwrap_or_default()
}

fn number(document: &Document, object: &Object) -> Option<f64> {
    let (_, object) = document.dereference(object).ok()?;
    object.as_float().ok().map(f64::from)
}

fn to_unicode(document: &Document, font: &Dictionary) -> Option<CMap> {
    let stream: &Stream = get(document, font, b"ToUnicode")?.as_stream().ok()?;
    let source = stream.get_plain_content_with_limit(MAX_CMAP).ok()?;
    Some(CMap::parse(&source))
}

/// What the codes of a simple font stand for, by its encoding and its differences.
fn code_table(document: &Document, font: &Dictionary) -> Vec<String> {
    let encoding = get(document, font, b"Encoding");
    let base = match encoding {
        Some(Object::Name(name)) => name.clone(),
        Some(Object::Dictionary(parts)) => name(document, parts, b"BaseEncoding").to_vec(),
        _ => Vec::new(),
    };
    let mut table = table_of(document, base);
    let differences = encoding
        .and_then(|object| object.as_dict().ok())
        .and_then(|parts| get(document, parts, b"Differences"))
        .and_then(|object| object.as_array().ok());
    let mut code = 0_usize;
    for entry in differences.into_iter().flatten() {
        match entry {
            Object::Integer(next) => code = usize::try_from(*next).unwrap_or(usize::MAX),
            Object::Name(glyph) => {
                if let Some(place) = table.get_mut(code) {
                    *place = glyph_text(document, glyph);
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    table
}

/// The table of an encoding by name; the standard encoding for an unknown one.
fn table_of(document: &Document, base: Vec<u8>) -> Vec<String> {
    const KNOWN: &[&[u8]] = &[
        b"WinAnsiEncoding",
        b"MacRomanEncoding",
        b"MacExpertEncoding",
        b"StandardEncoding",
    ];
    let base = if KNOWN.contains(&base.as_slice()) {
        base
    } else {
        b"StandardEncoding".to_vec()
    };
    let font = bare_font(Object::Name(base));
    (0..=u8::MAX)
        .map(|code| decode_one(document, &font, code))
        .collect()
}

/// The text of a glyph by its name in the Adobe Glyph List; nothing for names that mean nothing outside of the font.
fn glyph_text(document: &Document, glyph: &[u8]) -> String {
    let mut encoding = Dictionary::new();
    encoding.set("Type", Object::Name(b"Encoding".to_vec()));
    encoding.set(
        "Differences",
        Object::Array(vec![Object::Integer(1), Object::Name(glyph.to_vec())]),
    );
    decode_one(document, &bare_font(Object::Dictionary(encoding)), 1)
}

/// A font that is nothing but an encoding. It has no `ToUnicode`, because the library would write out its ranges.
fn bare_font(encoding: Object) -> Dictionary {
    let mut font = Dictionary::new();
    font.set("Type", Object::Name(b"Font".to_vec()));
    font.set("Encoding", encoding);
    font
}

fn decode_one(document: &Document, font: &Dictionary, code: u8) -> String {
    font.get_font_encoding_with_limit(document, MAX_CMAP)
        .and_then(|encoding| Document::decode_text(&encoding, &[code]))
        .unwrap_or_default()
}

fn simple_widths(document: &Document, font: &Dictionary) -> Widths {
    let descriptor =
        get(document, font, b"FontDescriptor").and_then(|object| object.as_dict().ok());
    let missing = descriptor
        .and_then(|descriptor| get(document, descriptor, b"MissingWidth"))
        .and_then(|width| number(document, width))
        .filter(|width| *width > 0.0);
    let fixed = name(document, font, b"BaseFont").starts_with(b"Courier");
    let first = get(document, font, b"FirstChar")
        .and_then(|object| object.as_i64().ok())
        .and_then(|first| u32::try_from(first).ok());
    let widths: Vec<f64> = get(document, font, b"Widths")
        .and_then(|object| object.as_array().ok())
        .into_iter()
        .flatten()
        .take(256)
        .map(|width| number(document, width).unwrap_or(USUAL_WIDTH))
        .collect();
    let standard = if widths.is_empty() {
        widths_of(name(document, font, b"BaseFont"))
    } else {
        None
    };
    let usual = missing.unwrap_or(if fixed { 600.0 } else { USUAL_WIDTH });
    Widths {
        usual,
        runs: standard
            .or(first.map(|first| (first, widths)))
            .and_then(|(first, widths)| Some((first, last_of(first, widths.len())?, widths)))
            .into_iter()
            .collect(),
    }
}

/// The `DW` and `W` of the descendant of a composite font (9.7.4.3). Codes are taken for glyph numbers, as in Identity-H.
fn composite_widths(document: &Document, font: &Dictionary) -> Widths {
    let mut widths = Widths {
        usual: 1000.0,
        runs: Vec::new(),
    };
    let descendant = get(document, font, b"DescendantFonts")
        .and_then(|object| object.as_array().ok())
        .and_then(|fonts| fonts.first())
        .and_then(|object| document.dereference(object).ok())
        .and_then(|(_, object)| object.as_dict().ok());
    let Some(descendant) = descendant else {
        return widths;
    };
    if let Some(usual) = get(document, descendant, b"DW").and_then(|width| number(document, width))
    {
        widths.usual = usual;
    }
    let list = get(document, descendant, b"W").and_then(|object| object.as_array().ok());
    widths.runs = list.map(|list| runs(document, list)).unwrap_or_default();
    widths
}

/// Most runs of widths that are kept; each glyph looks through them.
const MAX_RUNS: usize = 4096;

fn runs(document: &Document, list: &[Object]) -> Vec<(u32, u32, Vec<f64>)> {
    let code = |object: &Object| {
        object
            .as_i64()
            .ok()
            .and_then(|code| u32::try_from(code).ok())
    };
    let (mut runs, mut rest) = (Vec::new(), list);
    while runs.len() < MAX_RUNS {
        let [first, second, after @ ..] = rest else {
            break;
        };
        let Some(first) = code(first) else { break };
        if let Ok((_, Object::Array(each))) = document.dereference(second) {
            let each: Vec<f64> = each
                .iter()
                .map(|width| number(document, width).unwrap_or(1000.0))
                .collect();
            runs.extend(last_of(first, each.len()).map(|last| (first, last, each)));
            rest = after;
        } else {
            let (Some(last), [width, after @ ..]) = (code(second), after) else {
                break;
            };
            let width = number(document, width).unwrap_or(1000.0);
            runs.push((first, last, vec![width]));
            rest = after;
        }
    }
    runs.sort_by_key(|(first, ..)| *first);
    runs
}

/// The last of `count` codes from `first`.
fn last_of(first: u32, count: usize) -> Option<u32> {
    let more = u32::try_from(count.checked_sub(1)?).ok()?;
    first.checked_add(more)
}
