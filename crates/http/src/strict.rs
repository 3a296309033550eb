//! JSON as this API accepts it: no key twice in an object, no deeper than the
//! limit, and of no more values than the limit. A value of two bytes takes fifty
//! times as much and more once it is parsed, so that the limit of bytes alone
//! would be none.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep a document may nest, and how many values it may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) depth: usize,
    pub(crate) values: usize,
}

/// Why a document is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Syntax errors, a repeated key, or nesting too deep.
    Malformed(serde_json::Error),
    /// Too many values.
    TooMany,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::TooMany => f.write_str("too many values"),
        }
    }
}

/// Parses a document strictly, and answers how many values it has as well.
pub(crate) fn parse(bytes: &[u8], limits: Limits) -> Result<(Value, usize), Refused> {
    let values = Cell::new(0);
    let strict = Strict {
        limits,
        values: &values,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = strict.deserialize(&mut deserializer);
    match parsed.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok((value, values.get())),
        Err(_) if values.get() > limits.values => Err(Refused::TooMany),
        Err(error) => Err(Refused::Malformed(error)),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    /// With the depth that is left.
    limits: Limits,
    values: &'a Cell<usize>,
}

impl Strict<'_> {
    fn inner<E: Error>(mut self) -> Result<Self, E> {
        let depth = self.limits.depth.checked_sub(1);
        self.limits.depth = depth.ok_or_else(|| E::custom("nested too deep"))?;
        Ok(self)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > self.limits.values {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            object.insert(key, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        depth: 4,
        values: 11,
    };

    #[test]
    fn what_json_is_passes() {
        let text = r#"{"a": [1, -2, 3.5, "x", null, true], "b": {"c": {}}}"#;
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes(), LIMITS).unwrap(), (expected, 10));
    }

    #[test]
    fn repeated_keys_depth_and_trailing_text_are_refused() {
        for text in [r#"{"a": 1, "a": 2}"#, "[[[[[]]]]]", "{} {}", "", "nul"] {
            let refused = parse(text.as_bytes(), LIMITS);
            assert!(matches!(refused, Err(Refused::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn what_has_too_many_values_is_refused_for_that() {
        for text in [
            "[0,0,0,0,0,0,0,0,0,0,0]",
            r#"[{"a":0},{"a":[]},[[]],{"b":0},1,2,3]"#,
        ] {
            let refused = parse(text.as_bytes(), LIMITS);
            assert!(matches!(refused, Err(Refused::TooMany)), "{text}");
        }
    }
}
