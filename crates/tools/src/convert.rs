//! The JSON of the workflows context to that of `serde_json`, and back.

use archesai_workflows::Json;
use serde_json::{Number, Value};

/// A value for libraries.
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Integer(value) => Value::from(*value),
        Json::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Json::Text(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), to_value(value)));
            Value::Object(members.collect())
        }
    }
}

/// A value for the domain. An integer that does not fit 64 bits with a sign is rounded.
pub fn to_json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Json::Integer(integer),
            None => number.as_f64().map_or(Json::Null, Json::Float),
        },
        Value::String(text) => Json::Text(text),
        Value::Array(items) => Json::Array(items.into_iter().map(to_json).collect()),
        Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name, to_json(value)));
            Json::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_changes_there_and_back(value in any_value()) {
            prop_assert_eq!(to_value(&to_json(value.clone())), value);
        }
    }

    #[test]
    fn what_json_cannot_say_is_null_and_great_integers_are_rounded() {
        assert_eq!(to_value(&Json::Float(f64::NAN)), Value::Null);
        assert_eq!(
            to_json(json!(u64::MAX)),
            Json::Float(18_446_744_073_709_551_615.0)
        );
    }
}
