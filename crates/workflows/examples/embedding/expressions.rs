//! A language of expressions that knows nothing but paths: `{{ steps.a.output.b }}`.

use std::pin::Pin;

use archesai_workflows::{
    Json, Violation,
    ports::{ExpressionError, Expressions, Pool, Reference, Unfinished, Work},
};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Paths;

/// A text is a run of these.
enum Part<'a> {
    Literal(&'a str),
    Path(&'a str),
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (path, after) = after.split_once("}}").ok_or("`{{` is never closed")?;
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        parts.push(Part::Path(path.trim()));
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(rest));
    }
    Ok(parts)
}

/// Calls back for every string in a value, with its place.
fn strings<'a>(value: &'a Json, pointer: &str, found: &mut impl FnMut(String, &'a str)) {
    match value {
        Json::Text(text) => found(pointer.to_owned(), text),
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                strings(item, &format!("{pointer}/{at}"), found);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                strings(member, &format!("{pointer}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn look_up(scope: &Json, path: &str, pointer: &str) -> Result<Json, ExpressionError> {
    let mut value = scope;
    for name in path.split('.') {
        value = value.get(name).ok_or_else(|| ExpressionError {
            pointer: pointer.to_owned(),
            message: format!("`{path}` has no value"),
        })?;
    }
    Ok(value.clone())
}

fn fill_in(value: &Json, scope: &Json, pointer: &str) -> Result<Json, ExpressionError> {
    Ok(match value {
        Json::Text(text) => {
            let parts = parts(text).map_err(|message| ExpressionError {
                pointer: pointer.to_owned(),
                message,
            })?;
            if let [Part::Path(path)] = parts.as_slice() {
                return look_up(scope, path, pointer);
            }
            let mut filled = String::new();
            for part in parts {
                match part {
                    Part::Literal(text) => filled.push_str(text),
                    Part::Path(path) => match look_up(scope, path, pointer)? {
                        Json::Text(text) => filled.push_str(&text),
                        value => filled.push_str(&value.to_string()),
                    },
                }
            }
            Json::Text(filled)
        }
        Json::Array(items) => {
            let items = items.iter().enumerate();
            let filled = items.map(|(at, item)| fill_in(item, scope, &format!("{pointer}/{at}")));
            Json::Array(filled.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let filled = members.iter().map(|(name, member)| {
                let filled = fill_in(member, scope, &format!("{pointer}/{name}"))?;
                Ok((name.clone(), filled))
            });
            Json::Object(filled.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

impl Expressions for Paths {
    fn references(&self, template: &Json) -> Result<Vec<Reference>, Vec<Violation>> {
        let (mut references, mut violations) = (Vec::new(), Vec::new());
        strings(template, "", &mut |pointer, text| match parts(text) {
            Err(detail) => violations.push(Violation::new(pointer, detail)),
            Ok(parts) => {
                for part in parts {
                    if let Part::Path(path) = part {
                        references.push(Reference {
                            pointer: pointer.clone(),
                            path: path.split('.').map(str::to_owned).collect(),
                        });
                    }
                }
            }
        });
        if violations.is_empty() {
            Ok(references)
        } else {
            Err(violations)
        }
    }

    fn evaluate(
        &self,
        template: &Json,
        scope: &Json,
        _work: &mut Work,
    ) -> Result<Json, ExpressionError> {
        fill_in(template, scope, "")
    }

    fn truthy(&self, value: &Json) -> bool {
        !matches!(value, Json::Null | Json::Bool(false) | Json::Integer(0))
    }
}

/// Does work at once, where it is asked for: these expressions are no work.
pub(crate) struct AtOnce;

impl Pool for AtOnce {
    fn run(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unfinished>> + Send + '_>> {
        work();
        Box::pin(std::future::ready(Ok(())))
    }
}
