//! The functions of the language that depend on the kind of values, and those that are made safe.

use jaq_core::box_iter::box_once;
use jaq_core::data::HasLut;
use jaq_core::load::parse::Def;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{DataT, Error, Lut, Native, RunPtr, ValR, ValT as _};
use jaq_std::ValT as _;

use super::meter::Held;
use super::recursion::MARK;
use super::value::Item;
use super::{json, meter, patterns};

/// What filters run on.
pub(super) struct Data;

impl DataT for Data {
    type V<'a> = Item;
    type Data<'a> = Program<'a>;
}

/// The compiled filter. The interpreter asks for it at every term, and so even a filter that does nothing at all is counted.
///
/// Each context in which a term may still go on has one of these, so that they also tell how much the interpreter itself holds.
pub(super) struct Program<'a> {
    lut: &'a Lut<Data>,
    _held: Held,
}

impl<'a> Program<'a> {
    pub(super) fn new(lut: &'a Lut<Data>) -> Self {
        Self {
            lut,
            _held: Held::new(CONTEXT),
        }
    }
}

impl Clone for Program<'_> {
    fn clone(&self) -> Self {
        Self::new(self.lut)
    }
}

/// Bytes that the interpreter takes for a context, with the iterator it belongs to.
const CONTEXT: usize = 256;

impl<'a> HasLut<'a, Data> for Program<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        meter::steps(1);
        self.lut
    }
}

/// Functions of the libraries that are left out: they read the environment, the clock or the time zone of the machine, end the
/// process, or write to its log. Regular expressions and `join` are this crate's own, because of what they may cost.
const LEFT_OUT: &[&str] = &[
    "env",
    "now",
    "localtime",
    "strflocaltime",
    "halt",
    "debug_empty",
    "stderr_empty",
    "matches",
    "split_matches",
    "split_",
];

/// Definitions of the libraries that need what is left out, or that are this crate's own.
const UNDEFINED: &[&str] = &[
    "halt",
    "halt_error",
    "stderr",
    "debug",
    "join",
    "isnan",
    "tojson",
];

/// Definitions in the language itself.
const DEFINITIONS: &str = r#"
def toboolean: if isboolean then . elif . == "true" then true elif . == "false" then false
  else error("cannot be parsed as a boolean") end;
def in($of): . as $key | $of | has($key);
def inside($of): . as $part | $of | contains($part);
def index($of): indices($of) | first;
def rindex($of): indices($of) | last;
def transpose: . as $rows | [range(map(length) | max // 0) as $column | [$rows[][$column]]];
def leaf_paths: paths(scalars);
def ascii: [.] | implode;
def todate: todateiso8601;
def @json: tojson;
def @csv: map(if isstring then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then "" else tostring end) | join(",");
def @tsv: map(if isstring then split("\\") | join("\\\\") | split("\t") | join("\\t") | split("\n") | join("\\n")
  | split("\r") | join("\\r") elif . == null then "" else tostring end) | join("\t");
"#;

/// All definitions.
pub(super) fn definitions<'s>() -> impl Iterator<Item = Def<&'s str>> {
    let own = jaq_core::load::parse(DEFINITIONS, |parser| parser.defs()).unwrap_or_default();
    jaq_core::defs()
        .chain(jaq_std::defs())
        .filter(|definition| !UNDEFINED.contains(&definition.name))
        .chain(own)
        .map(|definition: Def<&'static str>| -> Def<&'s str> { definition })
}

/// All functions.
pub(super) fn functions() -> impl Iterator<Item = Fun<Data>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
        .filter(|(name, ..)| !LEFT_OUT.contains(name))
        .chain(own().into_iter().map(run::<Data>))
        .chain([(MARK, v(0), nested())])
        .chain(patterns::functions().into_iter().map(run::<Data>))
}

/// Passes its input on and counts.
fn nested() -> Native<Data> {
    Native::new(|cv| {
        meter::nested();
        box_once(Ok(cv.1))
    })
    .with_paths(|cv| {
        meter::nested();
        box_once(Ok(cv.1))
    })
    .with_update(|cv, update| {
        meter::nested();
        update(cv.1)
    })
}

fn own() -> Vec<Filter<RunPtr<Data>>> {
    vec![
        ("tojson", v(0), |cv| {
            bome(Ok(Item::text(json::write(&cv.1))))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("tonumber", v(0), |cv| bome(to_number(cv.1))),
        ("isnan", v(0), |cv| {
            bome(Ok(Item::Bool(cv.1.number().is_some_and(f64::is_nan))))
        }),
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("contains", v(1), |cv| {
            unary(cv, |whole, part| Ok(Item::Bool(contains(&whole, &part))))
        }),
        ("has", v(1), |cv| unary(cv, has)),
        ("indices", v(1), |cv| {
            unary(cv, |whole, part| indices(&whole, &part))
        }),
        ("bsearch", v(1), |cv| {
            unary(cv, |whole, part| search(whole, &part))
        }),
        ("join", v(1), |cv| {
            unary(cv, |whole, separator| join(whole, &separator))
        }),
    ]
}

fn from_json(text: &Item) -> ValR<Item> {
    let text = text.try_as_utf8_bytes()?;
    // The parser refuses nesting beyond 128.
    serde_json::from_slice(text)
        .map(json::read)
        .map_err(|error| Error::str(format_args!("the text is no JSON: {error}")))
}

fn to_number(value: Item) -> ValR<Item> {
    match value.as_text() {
        Some(text) => {
            let text = text.trim();
            let plain = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            if plain {
                Item::from_num(text)
            } else {
                Err(Error::str("the text is no number"))
            }
        }
        None if value.number().is_some() => Ok(value),
        None => Err(Error::typ(value, "number")),
    }
}

fn length(value: &Item) -> ValR<Item> {
    Ok(match value {
        Item::Null => Item::Int(0),
        Item::Int(number) => number.checked_abs().map_or(Item::Null, Item::Int),
        Item::Float(number) => Item::Float(number.abs()),
        Item::Text(_) => {
            let text = value.try_as_utf8_bytes()?;
            Item::from(String::from_utf8_lossy(text).chars().count())
        }
        Item::Array(array) => Item::from(array.items().len()),
        Item::Object(object) => Item::from(object.entries().len()),
        Item::Bool(_) => return Err(Error::str("a boolean has no length")),
    })
}

/// Strings contain their parts; arrays and objects contain others when each part of those is contained in a part of theirs.
fn contains(whole: &Item, part: &Item) -> bool {
    meter::steps(1);
    match (whole, part) {
        (Item::Text(_), Item::Text(_)) => {
            let (whole, part) = (
                whole.as_text().unwrap_or_default(),
                part.as_text().unwrap_or_default(),
            );
            meter::steps(whole.len() as u64 / 64);
            whole.contains(part)
        }
        (Item::Array(whole), Item::Array(part)) => {
            let inside = |part: &Item| whole.items().iter().any(|whole| contains(whole, part));
            part.items().iter().all(inside)
        }
        (Item::Object(whole), Item::Object(part)) => part.entries().iter().all(|(key, part)| {
            whole
                .entries()
                .get(key)
                .is_some_and(|whole| contains(whole, part))
        }),
        _ => whole == part,
    }
}

fn has(whole: Item, key: Item) -> ValR<Item> {
    match (&whole, &key) {
        (Item::Object(object), Item::Text(_)) => {
            let key = key.as_text().unwrap_or_default();
            Ok(Item::Bool(object.entries().contains_key(key)))
        }
        (Item::Array(array), Item::Int(index)) => {
            let index = usize::try_from(*index);
            Ok(Item::Bool(
                index.is_ok_and(|index| index < array.items().len()),
            ))
        }
        _ => Err(Error::index(whole, key)),
    }
}

/// Where a part stands in a string (in characters) or in an array.
fn indices(whole: &Item, part: &Item) -> ValR<Item> {
    let places: Vec<usize> = match (whole, part) {
        (Item::Null, _) => return Ok(Item::Null),
        (Item::Text(_), Item::Text(_)) => {
            let part = part.as_text().unwrap_or_default();
            places_in_text(whole.as_text().unwrap_or_default(), part)
        }
        (Item::Array(whole), Item::Array(part)) if part.items().is_empty() => {
            let _ = whole;
            return Ok(Item::Null);
        }
        (Item::Array(whole), Item::Array(part)) => {
            let windows = whole.items().windows(part.items().len()).enumerate();
            windows
                .filter(|(_, window)| *window == part.items())
                .map(|(place, _)| place)
                .collect()
        }
        (Item::Array(whole), part) => {
            let items = whole.items().iter().enumerate();
            items
                .filter(|(_, item)| *item == part)
                .map(|(place, _)| place)
                .collect()
        }
        _ => return Err(Error::index(whole.clone(), part.clone())),
    };
    Ok(Item::array(places.into_iter().map(Item::from).collect()))
}

fn places_in_text(whole: &str, part: &str) -> Vec<usize> {
    if part.is_empty() {
        return Vec::new();
    }
    let starts = whole.char_indices().enumerate();
    starts
        .filter(|(_, (at, _))| {
            // Comparing costs as far as both agree.
            let rest = &whole.as_bytes()[*at..];
            let same = rest
                .iter()
                .zip(part.as_bytes())
                .take_while(|(left, right)| left == right)
                .count();
            meter::steps(1 + same as u64 / 64);
            same == part.len()
        })
        .map(|(place, _)| place)
        .collect()
}

/// The place of a value in a sorted array, or where it would have to stand as `-1 - place`.
fn search(whole: Item, part: &Item) -> ValR<Item> {
    let Item::Array(array) = &whole else {
        return Err(Error::typ(whole, "array"));
    };
    Ok(match array.items().binary_search(part) {
        Ok(place) => Item::from(place),
        Err(place) => Item::Int(-1 - i64::try_from(place).unwrap_or_default()),
    })
}

fn join(whole: Item, separator: &Item) -> ValR<Item> {
    let Item::Array(array) = &whole else {
        return Err(Error::typ(whole, "array"));
    };
    let Some(separator) = separator.as_text() else {
        return Err(Error::typ(separator.clone(), "string"));
    };
    let mut text = String::new();
    for (index, item) in array.items().iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        match item {
            Item::Null => {}
            Item::Text(_) => text.push_str(item.as_text().unwrap_or_default()),
            Item::Array(_) | Item::Object(_) => return Err(Error::typ(item.clone(), "string")),
            other => text.push_str(&json::write(other)),
        }
        meter::steps(1);
        meter::shape(text.len() as u64, 0);
    }
    Ok(Item::text(text))
}
