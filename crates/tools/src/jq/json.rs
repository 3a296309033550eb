//! Values of filters from and to JSON.

use std::rc::Rc;

use serde_json::{Map, Number, Value};

use super::value::Item;

/// The largest integer below which every float that is whole is the integer it looks like: 2^53.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A value from JSON.
pub(super) fn read(value: Value) -> Item {
    match value {
        Value::Null => Item::Null,
        Value::Bool(value) => Item::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Item::Int(integer),
            None => Item::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Item::text(text),
        Value::Array(items) => Item::array(items.into_iter().map(read).collect()),
        Value::Object(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (Rc::from(key), read(value)));
            Item::object(entries.collect())
        }
    }
}

/// A value as JSON. As in jq, NaN is null and infinity the largest number.
pub(super) fn tree(item: &Item) -> Value {
    match item {
        Item::Null => Value::Null,
        Item::Bool(value) => Value::Bool(*value),
        Item::Int(value) => Value::from(*value),
        Item::Float(value) => number(*value),
        Item::Text(_) => Value::from(item.as_text().unwrap_or_default()),
        Item::Array(array) => Value::Array(array.items().iter().map(tree).collect()),
        Item::Object(object) => {
            let entries = object
                .entries()
                .iter()
                .map(|(key, value)| (key.to_string(), tree(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// A value as compact JSON text.
pub(super) fn write(item: &Item) -> String {
    tree(item).to_string()
}

fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Value::from(value as i64);
    }
    let finite = if value.is_infinite() {
        f64::MAX.copysign(value)
    } else {
        value
    };
    Number::from_f64(finite).map_or(Value::Null, Value::Number)
}
