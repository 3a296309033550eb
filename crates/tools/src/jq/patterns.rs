//! Regular expressions in filters: `test`, `match`, `capture`, `scan`, `split`, `sub` and `gsub` are defined by these three.

use std::collections::BTreeMap;
use std::rc::Rc;

use jaq_core::native::{Filter, bome, v};
use jaq_core::{Cv, Error, RunPtr, ValR};
use regex::{Captures, Regex, RegexBuilder};

use super::functions::Data;
use super::meter;
use super::value::Item;

/// Largest compiled expression, in bytes. Matching takes time in proportion to its product with the length of the text.
const MAX_COMPILED: usize = 256 << 10;

/// Longest expression, in bytes.
const MAX_PATTERN: usize = 4 << 10;

/// Longest text that is searched, in bytes.
const MAX_TEXT: usize = 4 << 20;

pub(super) fn functions() -> Vec<Filter<RunPtr<Data>>> {
    vec![
        ("matches", v(2), |cv| bome(search::<true, false>(cv))),
        ("split_matches", v(2), |cv| bome(search::<true, true>(cv))),
        ("split_", v(2), |cv| bome(search::<false, true>(cv))),
    ]
}

/// An expression with the flags that are not the engine's.
struct Pattern {
    regex: Regex,
    global: bool,
    skip_empty: bool,
}

impl Pattern {
    /// Flags as in jq: g all matches, n no empty ones, i any case, m and s and p for lines, l shortest, x with comments.
    fn new(pattern: &str, flags: &str) -> Result<Self, Error<Item>> {
        if pattern.len() > MAX_PATTERN {
            return Err(Error::str("the regular expression is too long"));
        }
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(MAX_COMPILED);
        let (mut global, mut skip_empty) = (false, false);
        for flag in flags.chars() {
            match flag {
                'g' => global = true,
                'n' => skip_empty = true,
                'i' => _ = builder.case_insensitive(true),
                'm' => _ = builder.multi_line(true),
                's' => _ = builder.dot_matches_new_line(true),
                'p' => _ = builder.multi_line(true).dot_matches_new_line(true),
                'l' => _ = builder.swap_greed(true),
                'x' => _ = builder.ignore_whitespace(true),
                other => {
                    return Err(Error::str(format_args!(
                        "{other} is no flag of a regular expression"
                    )));
                }
            }
        }
        let regex = builder
            .build()
            .map_err(|_| Error::str("the regular expression is not valid or too large"))?;
        Ok(Self {
            regex,
            global,
            skip_empty,
        })
    }
}

/// What an expression finds: the matches, what stands between them, or both in turn.
fn search<const MATCHES: bool, const BETWEEN: bool>(mut cv: Cv<Data>) -> ValR<Item> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let text = words(&cv.1)?;
    if text.len() > MAX_TEXT {
        return Err(Error::str("the text is too long for a regular expression"));
    }
    meter::steps(100 + text.len() as u64 / 16);
    let pattern = Pattern::new(
        words(&pattern)?,
        if flags == Item::Null {
            ""
        } else {
            words(&flags)?
        },
    )?;
    let mut counter = Counter::new(text);
    let (mut found, mut last) = (Vec::new(), 0);
    for captures in pattern.regex.captures_iter(text) {
        meter::steps(1);
        let Some(whole) = captures.get(0) else {
            continue;
        };
        if pattern.skip_empty && whole.is_empty() {
            continue;
        }
        if BETWEEN {
            found.push(Item::text(&text[last..whole.start()]));
            last = whole.end();
        }
        if MATCHES {
            found.push(groups(&pattern.regex, &captures, &mut counter));
        }
        if !pattern.global {
            break;
        }
    }
    if BETWEEN {
        found.push(Item::text(&text[last..]));
    }
    Ok(Item::array(found))
}

fn words(item: &Item) -> Result<&str, Error<Item>> {
    item.as_text()
        .ok_or_else(|| Error::typ(item.clone(), "string"))
}

/// The whole match and its groups; those that take no part are left out.
fn groups(regex: &Regex, captures: &Captures, counter: &mut Counter) -> Item {
    let names = regex.capture_names();
    let group = |(part, name): (Option<regex::Match>, Option<&str>)| {
        let part = part?;
        let mut entries: BTreeMap<Rc<str>, Item> = BTreeMap::from([
            (
                Rc::from("offset"),
                Item::from(counter.characters(part.start())),
            ),
            (
                Rc::from("length"),
                Item::from(part.as_str().chars().count()),
            ),
            (Rc::from("string"), Item::text(part.as_str())),
        ]);
        entries.extend(name.map(|name| (Rc::from("name"), Item::text(name))));
        Some(Item::object(entries))
    };
    Item::array(captures.iter().zip(names).filter_map(group).collect())
}

/// Turns places in bytes into places in characters; forward is cheap.
struct Counter<'a> {
    text: &'a str,
    byte: usize,
    character: usize,
}

impl<'a> Counter<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            byte: 0,
            character: 0,
        }
    }

    fn characters(&mut self, byte: usize) -> usize {
        if byte >= self.byte {
            self.character += self.text[self.byte..byte].chars().count();
        } else {
            self.character -= self.text[byte..self.byte].chars().count();
        }
        meter::steps(byte.abs_diff(self.byte) as u64 / 64);
        self.byte = byte;
        self.character
    }
}
