//! Pieces of the schemas by which tools say what they take and give.

use serde_json::{Value, json};

/// The dialect of every schema here.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of an input or output: an object with these properties and no others.
pub(crate) fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = members(properties, required);
    schema["$schema"] = json!(DIALECT);
    schema
}

/// An object within a schema, with these properties and no others.
pub(crate) fn members(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "required": required, "additionalProperties": false});
    schema["properties"] = properties;
    schema
}

/// The same schema of an object, which also wants exactly one of two properties. Said this way rather than by `oneOf`,
/// because what does not fit is then told at its own place.
pub(crate) fn either(mut schema: Value, one: &str, other: &str) -> Value {
    schema["if"] = json!({"required": [other]});
    schema["then"] = json!({"properties": {one: false}});
    schema["else"] = json!({"required": [one]});
    schema
}

/// An artifact's id.
pub(crate) fn artifact_id(description: &str) -> Value {
    json!({"type": "string", "format": "uuid", "description": description})
}

/// A text.
pub(crate) fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// A number of things.
pub(crate) fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn either_wants_exactly_one_and_says_where() {
        let properties = json!({"a": {}, "b": {}});
        let schema = Schema::compile(&either(object(properties, &[]), "a", "b")).unwrap();
        let place = |value: Value| {
            let found = schema.check(&value).err()?;
            found.into_iter().next().map(|violation| violation.pointer)
        };
        assert_eq!(place(json!({"a": 1})), None);
        assert_eq!(place(json!({"b": 1})), None);
        assert_eq!(place(json!({})).as_deref(), Some("/a"));
        assert_eq!(place(json!({"a": 1, "b": 1})).as_deref(), Some("/a"));
    }
}
