//! The inputs of a definition, and the input of a run that fits them.

use std::collections::BTreeMap;

use super::{
    MAX_DEPTH,
    pointer::{child, is_deeper},
    reader::Reader,
};
use crate::{Json, RunId, Violation};

/// One input of a definition: a few words of JSON Schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// `type`; `None` is any.
    pub kind: Option<Kind>,
    /// `format` of a string.
    pub format: Option<Format>,
    /// `enum`: the values it may have; empty is any.
    pub options: Vec<Json>,
    /// The value where none is given.
    pub default: Option<Json>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether a run must give it; by default, unless it has a default.
    pub required: bool,
}

/// A type of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// An array.
    Array,
    /// An object.
    Object,
    /// Null.
    Null,
}

impl Kind {
    /// Every type, with its name in JSON Schema.
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
        ("null", Self::Null),
    ];

    /// The type of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind)
    }

    /// The name in JSON Schema.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether a value is of this type.
    pub fn fits(self, value: &Json) -> bool {
        match self {
            Self::String => matches!(value, Json::Text(_)),
            Self::Integer => match value {
                Json::Integer(_) => true,
                Json::Float(number) => number.fract() == 0.0,
                _ => false,
            },
            Self::Number => matches!(value, Json::Integer(_) | Json::Float(_)),
            Self::Boolean => matches!(value, Json::Bool(_)),
            Self::Array => matches!(value, Json::Array(_)),
            Self::Object => matches!(value, Json::Object(_)),
            Self::Null => value.is_null(),
        }
    }
}

/// A format of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A UUID (RFC 9562).
    Uuid,
    /// An address with one `@` between two parts.
    Email,
    /// A URI (RFC 3986): a scheme, a colon and no white space.
    Uri,
    /// A date: `2025-01-31`.
    Date,
    /// A date and a time (RFC 3339): `2025-01-31T12:00:00Z`.
    DateTime,
}

impl Format {
    /// Every format, with its name in JSON Schema.
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("uuid", Self::Uuid),
        ("email", Self::Email),
        ("uri", Self::Uri),
        ("date", Self::Date),
        ("date-time", Self::DateTime),
    ];

    /// The name in JSON Schema.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, format)| *format == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether a text is in this format. Dates are looked at by their shape only.
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::Uuid => text.parse::<RunId>().is_ok(),
            Self::Email => match text.split_once('@') {
                Some((local, host)) => !local.is_empty() && !host.is_empty() && !host.contains('@'),
                None => false,
            },
            Self::Uri => match text.split_once(':') {
                Some((scheme, rest)) => {
                    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                        && !rest.is_empty()
                        && !text.contains(char::is_whitespace)
                }
                None => false,
            },
            Self::Date => shaped(text, "0000-00-00"),
            Self::DateTime => is_date_time(text),
        }
    }
}

/// Whether a text is `pattern` with any digits in place of the zeros.
fn shaped(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|pair| match pair {
            (digit, b'0') => digit.is_ascii_digit(),
            (other, expected) => other.eq_ignore_ascii_case(&expected),
        })
}

fn is_date_time(text: &str) -> bool {
    const WHOLE: &str = "0000-00-00T00:00:00";
    let Some((seconds, rest)) = text.split_at_checked(WHOLE.len()) else {
        return false;
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => match fraction.trim_start_matches(|c: char| c.is_ascii_digit()) {
            zone if zone.len() < fraction.len() => zone,
            _ => return false,
        },
        None => rest,
    };
    let zoned = rest.eq_ignore_ascii_case("z") || shaped(rest, "+00:00") || shaped(rest, "-00:00");
    shaped(seconds, WHOLE) && zoned
}

impl Input {
    /// Why a value does not fit; `None` if it does.
    pub(super) fn refuses(&self, value: &Json) -> Option<String> {
        if let Some(kind) = self.kind.filter(|kind| !kind.fits(value)) {
            return Some(format!("must be of type {}", kind.name()));
        }
        if let (Some(format), Some(text)) = (self.format, value.as_text())
            && !format.fits(text)
        {
            return Some(format!("must be in the format {}", format.name()));
        }
        if !self.options.is_empty() && !self.options.contains(value) {
            let options: Vec<_> = self.options.iter().map(Json::to_string).collect();
            return Some(format!("must be one of {}", options.join(", ")));
        }
        None
    }
}

/// Checks the input of a run, and fills in the defaults.
pub(super) fn check(
    inputs: &BTreeMap<String, Input>,
    given: &Json,
) -> Result<Json, Vec<Violation>> {
    let mut reader = Reader::default();
    let none = Json::Object(BTreeMap::new());
    let given = if given.is_null() { &none } else { given };
    if is_deeper(given, MAX_DEPTH) {
        reader.refuse("", format!("nests deeper than {MAX_DEPTH} levels"));
        return Err(reader.told());
    }
    let Some(members) = reader.members(given, "") else {
        return Err(reader.told());
    };
    for name in members.keys().filter(|name| !inputs.contains_key(*name)) {
        if reader.is_full() {
            return Err(reader.told());
        }
        reader.refuse(child("", name), "the pipeline has no such input");
    }
    let mut values = BTreeMap::new();
    for (name, input) in inputs {
        let value = members.get(name).filter(|value| !value.is_null());
        if let Some(detail) = value.and_then(|value| input.refuses(value)) {
            reader.refuse(child("", name), detail);
        }
        match value.or(input.default.as_ref()) {
            Some(value) => _ = values.insert(name.clone(), value.clone()),
            None if input.required => reader.refuse(child("", name), "is required"),
            None => {}
        }
    }
    if reader.is_empty() {
        Ok(Json::Object(values))
    } else {
        Err(reader.told())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_looked_at() {
        let id = "0190c5b4-5f2e-7c4a-8f3d-0123456789ab";
        assert!(Format::Uuid.fits(id));
        assert!(!Format::Uuid.fits("7"));
        assert!(Format::Email.fits("a@b") && !Format::Email.fits("a@"));
        assert!(Format::Uri.fits("https://a.example/b") && !Format::Uri.fits("a b:c"));
        assert!(Format::Date.fits("2025-01-31") && !Format::Date.fits("2025-1-31"));
        for text in ["2025-01-31T12:00:00Z", "2025-01-31t12:00:00.5+02:00"] {
            assert!(Format::DateTime.fits(text), "{text}");
        }
        for text in [
            "2025-01-31",
            "2025-01-31T12:00:00",
            "2025-01-31T12:00:00.Z",
            "é",
        ] {
            assert!(!Format::DateTime.fits(text), "{text}");
        }
    }

    #[test]
    fn an_integer_may_be_written_as_a_float() {
        assert!(Kind::Integer.fits(&Json::Float(2.0)));
        assert!(!Kind::Integer.fits(&Json::Float(2.5)));
    }
}
