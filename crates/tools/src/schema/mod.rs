//! Checks values against JSON Schemas (draft 2020-12 unless `$schema` says otherwise).

mod counted;

use std::fmt::Write;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;
use thiserror::Error;

use counted::{Counted, Counting, within};

/// Most violations that are told at once.
const MAX_VIOLATIONS: usize = 50;

/// Longest detail of a violation, in characters.
const MAX_DETAIL: usize = 300;

/// Largest schema, in bytes of its JSON.
const MAX_SCHEMA: usize = 256 << 10;

/// Largest compiled regular expression of a schema, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Most looks at the value during one check.
const MAX_LOOKS: u64 = 20_000_000;

/// Most looks while errors are collected, which takes memory too.
const MAX_LOOKS_FOR_ERRORS: u64 = 2_000_000;

/// Where and how a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer (RFC 6901) to the place in the value; empty for the whole.
    pub pointer: String,
    /// What is wrong there, in words for the person who wrote the value. Values themselves are not repeated.
    pub detail: String,
}

/// A schema that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the schema is not valid{}: {detail}", place(.pointer))]
pub struct SchemaError {
    /// JSON Pointer to the place in the schema; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() {
        String::new()
    } else {
        format!(" at {pointer}")
    }
}

/// A compiled schema. Clones are cheap and share it, so that a caller can keep those it uses often.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Validator<Counted>>);

impl Schema {
    /// Compiles a schema. References to other documents are refused; patterns run in linear time.
    ///
    /// # Errors
    /// When the schema is too large, is no schema, or refers to itself without end.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        check_size(schema)?;
        jsonschema::options_for::<Counted>()
            .with_retriever(Closed)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN))
            .should_validate_formats(true)
            .build(schema)
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| SchemaError {
                pointer: error.instance_path().to_string(),
                detail: detail(&error),
            })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// Up to 50 violations.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let value = Counting(value);
        match within(MAX_LOOKS, || self.0.is_valid(value.clone())) {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => return Err(vec![of_the_whole("takes too much work to check")]),
        }
        let violations = within(MAX_LOOKS_FOR_ERRORS, || {
            let errors = self.0.iter_errors(value).take(MAX_VIOLATIONS);
            errors.map(|error| violation(&error)).collect::<Vec<_>>()
        });
        Err(violations.unwrap_or_else(|| vec![of_the_whole("does not fit the schema")]))
    }
}

fn of_the_whole(detail: &str) -> Violation {
    Violation {
        pointer: String::new(),
        detail: detail.to_owned(),
    }
}

/// Knows no document but the schema itself.
struct Closed;

impl Retrieve for Closed {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!(
            "the reference to {} leaves the schema",
            shorten(uri.as_str(), 100)
        )
        .into())
    }
}

fn check_size(schema: &Value) -> Result<(), SchemaError> {
    let size = serde_json::to_string(schema).map_or(usize::MAX, |text| text.len());
    if size > MAX_SCHEMA {
        return Err(SchemaError {
            pointer: String::new(),
            detail: format!("it is larger than {MAX_SCHEMA} bytes"),
        });
    }
    Ok(())
}

fn violation(error: &ValidationError) -> Violation {
    let mut pointer = error.instance_path().to_string();
    if let ValidationErrorKind::Required { property } = error.kind()
        && let Some(name) = property.as_str()
    {
        // The missing place is what a form has to mark.
        let _ = write!(pointer, "/{}", name.replace('~', "~0").replace('/', "~1"));
    }
    Violation {
        pointer,
        detail: detail(error),
    }
}

/// An error in words, without the value it is about.
fn detail(error: &ValidationError) -> String {
    let text = match error.kind() {
        ValidationErrorKind::Required { .. } => "is required".to_owned(),
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            format!("has unknown properties: {}", names(unexpected))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            "fits none of the allowed forms".to_owned()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            "fits more than one of the allowed forms".to_owned()
        }
        ValidationErrorKind::FalseSchema => "is not allowed".to_owned(),
        ValidationErrorKind::Not { .. } => "is of a form that is not allowed".to_owned(),
        ValidationErrorKind::Referencing(error) => {
            format!("a reference cannot be followed: {error}")
        }
        _ => error.masked_with("it").to_string(),
    };
    shorten(&text, MAX_DETAIL)
}

fn names(unexpected: &[String]) -> String {
    let shown: Vec<String> = unexpected
        .iter()
        .take(5)
        .map(|name| shorten(name, 50))
        .collect();
    let more = if unexpected.len() > shown.len() {
        ", ..."
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn check(schema: &Value, value: &Value) -> Result<(), Vec<Violation>> {
        Schema::compile(schema).unwrap().check(value)
    }

    fn details(schema: &Value, value: &Value) -> Vec<String> {
        let found = check(schema, value).unwrap_err();
        found
            .iter()
            .map(|found| format!("{} {}", found.pointer, found.detail))
            .collect()
    }

    #[test]
    fn violations_say_where_and_what_without_the_value() {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"}, "n": {"type": "integer", "minimum": 1}, "kind": {"enum": ["a", "b"]},
                "items": {"type": "array", "maxItems": 1, "items": {"type": "string", "pattern": "^[a-z]+$"}}, "a/b": {"type": "null"}
            },
            "required": ["id", "x/y"],
            "additionalProperties": false,
        });
        let secret = "s3cret";
        let value = json!({"id": secret, "n": 0, "kind": secret, "items": [secret, 1], "a/b": secret, "more": 1});
        let found = details(&schema, &value);
        assert!(
            found.iter().all(|line| !line.contains(secret)),
            "{found:#?}"
        );
        for line in [
            "/id it is not a \"uuid\"",
            "/n it is less than the minimum of 1",
            "/items/1 it is not of type \"string\"",
            "/a~1b it is not of type \"null\"",
            "/x~1y is required",
            " has unknown properties: more",
        ] {
            assert!(
                found.iter().any(|found| found == line),
                "{line}: {found:#?}"
            );
        }
        assert_eq!(found.len(), 9, "{found:#?}");
    }

    #[test]
    fn values_that_fit_pass() {
        let schema = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
        assert_eq!(check(&schema, &json!({"a": null})), Ok(()));
        let kept = Schema::compile(&schema).unwrap();
        assert_eq!(kept.clone().check(&json!({"a": "x"})), Ok(()));
        assert!(kept.check(&json!([])).is_err());
    }

    #[test]
    fn details_and_their_number_are_bounded() {
        let long = "x".repeat(10_000);
        let options: Vec<String> = (0..1_000)
            .map(|number| format!("{long}{number}"))
            .take(20)
            .collect();
        let found = details(&json!({"enum": options}), &json!(long));
        assert!(found[0].chars().count() < 310, "{}", found[0].len());
        let many = json!(vec![1; 1_000]);
        assert_eq!(
            details(&json!({"items": {"type": "string"}}), &many).len(),
            50
        );
        let names: serde_json::Map<String, Value> = (0..100)
            .map(|number| (format!("{long}{number}"), json!(1)))
            .collect();
        let found = details(
            &json!({"additionalProperties": false}),
            &Value::Object(names),
        );
        assert!(found[0].chars().count() < 320);
    }

    #[test]
    fn no_schema_is_fetched() {
        for reference in [
            "https://example.com/s.json",
            "http://127.0.0.1/s",
            "file:///etc/passwd",
            "other.json",
            "urn:x:y",
        ] {
            let error = Schema::compile(&json!({"$ref": reference})).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the schema is not valid: a reference cannot be followed"),
                "{error}"
            );
        }
        assert!(
            Schema::compile(&json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}))
                .is_ok()
        );
    }

    #[test]
    fn unusable_schemas_are_told() {
        let told = |schema: Value| Schema::compile(&schema).unwrap_err().to_string();
        assert!(
            told(json!({"type": "nope"})).starts_with("the schema is not valid at /type: "),
            "{}",
            told(json!({"type": "nope"}))
        );
        assert!(told(json!({"pattern": "("})).starts_with("the schema is not valid"));
        assert!(told(json!({"pattern": "(?=x)y"})).starts_with("the schema is not valid"));
        assert!(told(json!({"pattern": "a{1000}{1000}"})).starts_with("the schema is not valid"));
        assert!(
            told(json!({"description": "x".repeat(300_000)}))
                .ends_with("it is larger than 262144 bytes")
        );
        assert!(told(json!({"$ref": "#/$defs/none"})).starts_with("the schema is not valid"));
        assert!(told(json!(1)).starts_with("the schema is not valid"));
        assert!(told(json!({"type": 1})).starts_with("the schema is not valid at /type: "));
    }

    #[test]
    fn circles_end() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
            json!({"$dynamicRef": "#"}),
            json!({"$recursiveRef": "#", "$schema": "https://json-schema.org/draft/2019-09/schema"}),
            json!({"if": {"$ref": "#"}}),
            json!({"$dynamicAnchor": "x", "allOf": [{"$dynamicRef": "#x"}]}),
            json!({"unevaluatedProperties": {"$ref": "#"}}),
            json!({"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#"}}),
        ] {
            let _ = Schema::compile(&schema).map(|it| it.check(&json!({"a": {"a": [1]}})));
        }
    }

    #[test]
    fn patterns_take_linear_time_and_branches_do_not_multiply() {
        let begin = Instant::now();
        let schema =
            json!({"pattern": "^(a+)+$", "anyOf": [{"pattern": "(a*)*b"}, {"pattern": "(a|a)*$"}]});
        let _ = check(&schema, &json!(format!("{}!", "a".repeat(100_000))));
        let mut deep = json!({"type": "string"});
        for _ in 0..18 {
            deep = json!({"anyOf": [deep, false]});
        }
        let _ = check(&deep, &json!(1));
        assert!(
            begin.elapsed() < Duration::from_mins(2),
            "{:?}",
            begin.elapsed()
        );
    }

    #[test]
    fn shared_branches_that_multiply_end() {
        let mut definitions = serde_json::Map::new();
        for level in 0..24 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            definitions.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
        }
        definitions.insert("d24".to_owned(), json!({"type": "string"}));
        let begin = Instant::now();
        let found = details(
            &json!({"$defs": definitions, "$ref": "#/$defs/d0"}),
            &json!(1),
        );
        assert_eq!(found, [" does not fit the schema"]);
        let branch = json!({"properties": {"a": {"$ref": "#/$defs/t"}}, "type": "object"});
        let schema = json!({"$defs": {"t": {"anyOf": [branch, branch]}}, "$ref": "#/$defs/t"});
        let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
        assert_eq!(details(&schema, &deep).len(), 1);
        assert!(
            begin.elapsed() < Duration::from_mins(2),
            "{:?}",
            begin.elapsed()
        );
    }
}
