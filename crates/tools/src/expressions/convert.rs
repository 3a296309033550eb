//! Values of the engine as JSON, under a budget: a small expression can stand for a large value.

use minijinja::Value as Engine;
use minijinja::value::ValueKind;
use serde_json::{Map, Number, Value};

/// How much may still come out.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    left: usize,
    limit: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize, depth: usize) -> Self {
        Self {
            left: bytes,
            limit: bytes,
            depth,
        }
    }

    /// How many bytes may still come out.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Takes bytes off the budget.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!("the result is larger than {} bytes", self.limit)),
        }
    }

    /// A value as JSON.
    pub(super) fn json(&mut self, value: &Engine) -> Result<Value, String> {
        self.convert(value, 0)
    }

    fn convert(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        if depth > self.depth {
            return Err(format!(
                "the result is nested deeper than {} levels",
                self.depth
            ));
        }
        self.take(4)?;
        match value.kind() {
            ValueKind::None => Ok(Value::Null),
            ValueKind::Bool => Ok(Value::Bool(value.is_true())),
            ValueKind::Number => number(value),
            ValueKind::String => self.string(value),
            ValueKind::Seq | ValueKind::Iterable => self.array(value, depth),
            ValueKind::Map => self.object(value, depth),
            ValueKind::Undefined => Err("a part of the result is not defined".to_owned()),
            _ => Err("the result cannot be written as JSON".to_owned()),
        }
    }

    fn string(&mut self, value: &Engine) -> Result<Value, String> {
        let text = value.as_str().unwrap_or_default();
        self.take(text.len())?;
        Ok(Value::String(text.to_owned()))
    }

    fn array(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        for item in value.try_iter().map_err(|error| engine(&error))? {
            items.push(self.convert(&item, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, value: &Engine, depth: usize) -> Result<Value, String> {
        let mut entries = Map::new();
        for key in value.try_iter().map_err(|error| engine(&error))? {
            let item = value.get_item(&key).map_err(|error| engine(&error))?;
            let name = match key.as_str() {
                Some(name) => name.to_owned(),
                None if matches!(key.kind(), ValueKind::Number | ValueKind::Bool) => {
                    key.to_string()
                }
                None => return Err("a name in the result is no text".to_owned()),
            };
            self.take(name.len())?;
            entries.insert(name, self.convert(&item, depth + 1)?);
        }
        Ok(Value::Object(entries))
    }
}

fn engine(error: &minijinja::Error) -> String {
    super::ExpressionError::from_engine(error).detail
}

/// A number of JSON: integers stay integers as far as they fit into 64 bits.
fn number(value: &Engine) -> Result<Value, String> {
    if value.is_integer() {
        if let Ok(integer) = i64::try_from(value.clone()) {
            return Ok(Value::from(integer));
        }
        if let Ok(integer) = u64::try_from(value.clone()) {
            return Ok(Value::from(integer));
        }
    }
    f64::try_from(value.clone())
        .ok()
        .and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| "the result is no number that JSON can hold".to_owned())
}
