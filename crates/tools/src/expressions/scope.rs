//! The values that one string's expressions can see: only what they name is copied, because a scope may hold whole documents.

use std::collections::BTreeMap;

use minijinja::Value as Engine;
use serde_json::Value;

use super::ExpressionError;
use super::parse::Parsed;
use super::references::Path;

/// What of a value is wanted.
enum Wanted<'a> {
    All,
    Names(BTreeMap<&'a str, Wanted<'a>>),
}

/// The scope of one string.
pub(super) struct Scope<'a> {
    whole: &'a Value,
    paths: &'a [Path],
    value: Engine,
    cost: u64,
}

impl<'a> Scope<'a> {
    pub(super) fn new(whole: &'a Value, parsed: &'a Parsed) -> Self {
        let paths = parsed.paths();
        let mut wanted = Wanted::Names(BTreeMap::new());
        for path in paths {
            wanted.add(
                std::iter::once(&path.root)
                    .chain(&path.names)
                    .map(String::as_str),
            );
        }
        let mut cost = 0;
        Self {
            whole,
            paths,
            value: pick(whole, &wanted, &mut cost),
            cost,
        }
    }

    /// What it took to copy the values, as bytes of data that the engine works on.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// The values as the engine takes them.
    pub(super) fn value(&self) -> Engine {
        self.value.clone()
    }

    /// What an error of the engine means, with the path that led nowhere.
    pub(super) fn explain(&self, error: &minijinja::Error) -> ExpressionError {
        let mistake = ExpressionError::from_engine(error);
        if error.kind() != minijinja::ErrorKind::UndefinedError {
            return mistake;
        }
        let mut undefined = self.undefined();
        undefined.line = mistake.line;
        undefined
    }

    /// Names the first path that leads nowhere.
    pub(super) fn undefined(&self) -> ExpressionError {
        let missing = |optional: bool| {
            let mut paths = self.paths.iter().filter(|path| path.optional == optional);
            paths.find_map(|path| self.missing(path))
        };
        let detail = missing(false).or_else(|| missing(true));
        ExpressionError::new(detail.unwrap_or_else(|| "it has no value".to_owned()))
    }

    fn missing(&self, path: &Path) -> Option<String> {
        let (mut value, mut known) = (self.whole, String::new());
        for name in std::iter::once(&path.root).chain(&path.names) {
            let Some(next) = value.get(name) else {
                let whole = std::iter::once(&path.root).chain(&path.names);
                let whole = whole.map(String::as_str).collect::<Vec<_>>().join(".");
                return Some(match (known.as_str(), value) {
                    ("", _) => format!("{whole} is not defined: there is no {name} here"),
                    (known, Value::Null) => format!("{whole} is not defined: {known} is null"),
                    (known, _) => format!("{whole} is not defined: {known} has no {name}"),
                });
            };
            value = next;
            known = if known.is_empty() {
                name.clone()
            } else {
                format!("{known}.{name}")
            };
        }
        None
    }
}

impl<'a> Wanted<'a> {
    fn add(&mut self, mut names: impl Iterator<Item = &'a str>) {
        match (&mut *self, names.next()) {
            (Self::All, _) => {}
            (_, None) => *self = Self::All,
            (Self::Names(inner), Some(name)) => inner
                .entry(name)
                .or_insert_with(|| Self::Names(BTreeMap::new()))
                .add(names),
        }
    }
}

/// The wanted part of a value. Objects lose the entries that nobody names; what is no object is taken whole.
fn pick(value: &Value, wanted: &Wanted, cost: &mut u64) -> Engine {
    match (value, wanted) {
        (Value::Object(entries), Wanted::Names(names)) => {
            let kept = names.iter().filter_map(|(name, inner)| {
                let value = entries.get(*name)?;
                Some(((*name).to_owned(), pick(value, inner, cost)))
            });
            Engine::from(kept.collect::<BTreeMap<String, Engine>>())
        }
        _ => engine(value, cost),
    }
}

/// A whole value as the engine takes it.
fn engine(value: &Value, cost: &mut u64) -> Engine {
    *cost += 16;
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(value) => Engine::from(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Engine::from(integer),
            (None, Some(integer)) => Engine::from(integer),
            (None, None) => Engine::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => {
            // Copying is less work than what the engine does.
            *cost += text.len() as u64 / 4;
            Engine::from(text.as_str())
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| engine(item, cost));
            Engine::from(items.collect::<Vec<_>>())
        }
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| (name.clone(), engine(value, cost)));
            Engine::from(entries.collect::<BTreeMap<String, Engine>>())
        }
    }
}
