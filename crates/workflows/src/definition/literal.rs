//! Checks what a template holds besides expressions against a JSON Schema.
//!
//! Of JSON Schema it knows `type`, `enum`, `required`, `properties`,
//! `additionalProperties: false` and `items`: what people get wrong when they
//! write a step. The tool's own check of the evaluated input knows the rest.

use std::collections::BTreeMap;

use super::{Kind, Template, pointer::child};
use crate::{
    Json, Violation,
    ports::{Expressions, Work},
};

/// Where a template cannot fit a schema, whatever its expressions give.
pub(super) fn check(
    schema: &Json,
    template: &Template,
    expressions: &impl Expressions,
    work: &mut Work,
) -> Vec<Violation> {
    let mut checker = Checker {
        template,
        expressions,
        work,
        violations: Vec::new(),
    };
    checker.value(schema, &template.value, "");
    checker.violations
}

struct Checker<'a, E> {
    template: &'a Template,
    expressions: &'a E,
    work: &'a mut Work,
    violations: Vec<Violation>,
}

impl<E: Expressions> Checker<'_, E> {
    fn value(&mut self, schema: &Json, value: &Json, pointer: &str) {
        match value {
            Json::Text(_) if self.template.dynamic.contains(pointer) => {}
            Json::Text(_) => {
                let scope = Json::Object(BTreeMap::new());
                match self.expressions.evaluate(value, &scope, self.work) {
                    Ok(known) => self.fits(schema, &known, pointer),
                    Err(error) => self.refuse(pointer, error.message),
                }
            }
            Json::Object(members) => {
                self.kind(schema, value, pointer);
                self.object(schema, members, pointer);
            }
            Json::Array(items) => {
                self.kind(schema, value, pointer);
                if let Some(schema) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.value(schema, item, &child(pointer, at));
                    }
                }
            }
            _ => self.fits(schema, value, pointer),
        }
    }

    fn object(&mut self, schema: &Json, members: &BTreeMap<String, Json>, pointer: &str) {
        let required = schema.get("required").and_then(Json::as_array);
        for name in required
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_text)
        {
            if !members.contains_key(name) {
                self.refuse(pointer, format!("`{name}` is missing"));
            }
        }
        let closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
        for (name, value) in members {
            let pointer = child(pointer, name);
            match schema.get("properties").and_then(|known| known.get(name)) {
                Some(schema) => self.value(schema, value, &pointer),
                None if closed => self.refuse(&pointer, "the tool does not take this".to_owned()),
                None => {}
            }
        }
    }

    /// Checks a value that is known in full.
    fn fits(&mut self, schema: &Json, value: &Json, pointer: &str) {
        self.kind(schema, value, pointer);
        if let Some(options) = schema.get("enum").and_then(Json::as_array)
            && !options.contains(value)
        {
            let options: Vec<_> = options.iter().map(Json::to_string).collect();
            self.refuse(pointer, format!("must be one of {}", options.join(", ")));
        }
    }

    fn kind(&mut self, schema: &Json, value: &Json, pointer: &str) {
        let names: Vec<&str> = match schema.get("type") {
            Some(Json::Text(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_text).collect(),
            _ => return,
        };
        let fits = |name: &&str| Kind::named(name).is_none_or(|kind| kind.fits(value));
        if !names.iter().any(fits) {
            self.refuse(pointer, format!("must be of type {}", names.join(" or ")));
        }
    }

    fn refuse(&mut self, pointer: &str, detail: String) {
        self.violations.push(Violation::new(pointer, detail));
    }
}
