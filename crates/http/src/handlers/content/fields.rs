//! Values as they come in texts: in the query of a list, or in the parts of a form.

use archesai_content::Json;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Problem,
    strict::{self, Limits},
};

/// How deep the JSON in a text may nest; metadata may nest less deep.
const MAX_DEPTH: usize = 32;

/// Reads labels: a JSON array of texts, or texts separated by commas. For a label
/// that has a comma in it there is only the array.
///
/// # Errors
///
/// What is wrong with an array.
pub(super) fn labels(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        let value = parse(text)?;
        return Vec::deserialize(value).map_err(|_| "must be an array of texts".to_owned());
    }
    let names = text.split(',').map(str::trim);
    Ok(names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Reads metadata: a JSON object.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn metadata(text: &str) -> Result<Json, String> {
    match parse(text)? {
        value @ Value::Object(_) => Json::deserialize(value).map_err(|error| error.to_string()),
        _ => Err("must be a JSON object".to_owned()),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    // What is this short has few.
    let limits = Limits {
        depth: MAX_DEPTH,
        values: usize::MAX,
    };
    let parsed = strict::parse(text.as_bytes(), limits);
    let (value, _) = parsed.map_err(|refused| format!("must be JSON: {refused}"))?;
    Ok(value)
}

/// The object a body has, as the domain knows it; `null` where it has none.
///
/// # Errors
///
/// 422, if that is more than the domain can hold.
pub(super) fn json(members: Option<Map<String, Value>>) -> Result<Json, Problem> {
    let Some(members) = members else {
        return Ok(Json::Null);
    };
    let json = Json::deserialize(Value::Object(members));
    json.map_err(|error| Problem::fault("/metadata", error))
}

/// Numbers in single precision; one that is too great for that becomes infinite, which
/// the domain refuses.
#[expect(
    clippy::cast_possible_truncation,
    reason = "vectors are kept in single precision"
)]
pub(super) fn vector(numbers: Vec<f64>) -> Vec<f32> {
    numbers.into_iter().map(|number| number as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_an_array_or_separated_by_commas() {
        for (text, expected) in [
            ("a", &["a"][..]),
            (" a , b,,c ", &["a", "b", "c"]),
            (r#"["a,b", "c"]"#, &["a,b", "c"]),
            (" [] ", &[]),
            ("", &[]),
            (",", &[]),
        ] {
            assert_eq!(labels(text).expect("labels"), expected, "{text:?}");
        }
    }

    #[test]
    fn a_broken_array_is_no_list_of_labels() {
        for text in ["[", "[1]", r#"["a", null]"#, "[\"a\"] b", "[[\"a\"]]"] {
            assert!(labels(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn metadata_is_an_object() {
        let json = metadata(r#"{"a": {"b": [1, 2.5, null]}}"#).expect("an object");
        assert_eq!(json.to_string(), r#"{"a":{"b":[1,2.5,null]}}"#);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(1000), "}".repeat(1000));
        for text in ["", "[]", "1", "null", "{", r#"{"a": 1, "a": 2}"#, &deep] {
            assert!(metadata(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_that_are_too_great_become_infinite() {
        assert_eq!(vector(vec![0.5, -1.0]), [0.5, -1.0]);
        assert!(vector(vec![1e300])[0].is_infinite());
    }
}
