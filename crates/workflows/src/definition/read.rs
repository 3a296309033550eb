//! Reads a definition from JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Backoff, Definition, Format, Input, Kind, MAX_INPUTS, MAX_OUTPUTS, MAX_STEPS, OnError, Retry,
    Step, Template,
    pointer::child,
    reader::{Object, Reader},
    references,
};
use crate::{Json, ports::Expressions};

const STEP_FIELDS: [&str; 10] = [
    "id",
    "tool",
    "with",
    "needs",
    "if",
    "for_each",
    "concurrency",
    "retry",
    "timeout",
    "on_error",
];
const INPUT_FIELDS: [&str; 6] = [
    "type",
    "format",
    "enum",
    "default",
    "description",
    "required",
];
const RETRY_FIELDS: [&str; 5] = ["max_attempts", "backoff", "initial", "max", "jitter"];
const MAX_ATTEMPTS: u32 = 100;
const MAX_CONCURRENCY: u32 = 1_000;

/// Reads a definition as far as it can be read, and notes what is wrong with it.
pub(super) fn read(value: &Json, expressions: &impl Expressions) -> (Definition, Reader) {
    let mut reader = Reader::default();
    let mut definition = Definition::default();
    if let Some(object) = reader.object(value, "", &["inputs", "steps", "outputs"]) {
        reader.inputs(object, &mut definition);
        let needs = reader.steps(object, &mut definition);
        reader.outputs(object, &mut definition);
        // What was not read cannot be referred to.
        if !reader.is_full() {
            references::resolve(&mut reader, &mut definition, &needs, expressions);
        }
    }
    (definition, reader)
}

impl Reader {
    fn inputs(&mut self, definition: Object<'_>, into: &mut Definition) {
        let Some(value) = definition.get("inputs") else {
            return;
        };
        let Some(members) = self.members(value, "/inputs") else {
            return;
        };
        self.at_most(members.len(), MAX_INPUTS, "/inputs", "inputs");
        for (name, value) in members {
            if self.is_full() {
                return;
            }
            let pointer = child("/inputs", name);
            self.name(name, &pointer);
            let input = self.input(value, &pointer);
            into.inputs.insert(name.clone(), input);
        }
    }

    fn input(&mut self, value: &Json, pointer: &str) -> Input {
        let Some(object) = self.object(value, pointer, &INPUT_FIELDS) else {
            return Input::default();
        };
        let default = object.get("default").cloned();
        let input = Input {
            kind: self.choice(object, "type", &Kind::NAMES),
            format: self.choice(object, "format", &Format::NAMES),
            options: self.array(object, "enum").to_vec(),
            description: self.text(object, "description").map(str::to_owned),
            required: self
                .boolean(object, "required")
                .unwrap_or(default.is_none()),
            default,
        };
        let refused = input
            .default
            .as_ref()
            .and_then(|value| input.refuses(value));
        if let Some(detail) = refused {
            self.refuse(object.place("default"), detail);
        }
        input
    }

    /// Reads the steps; answers what each says under `needs`.
    fn steps(&mut self, definition: Object<'_>, into: &mut Definition) -> Vec<Vec<Json>> {
        if definition.get("steps").is_none() {
            self.refuse("", "`steps` is missing");
        }
        let steps = self.array(definition, "steps");
        self.at_most(steps.len(), MAX_STEPS, "/steps", "steps");
        let mut needs = Vec::new();
        for (at, value) in steps.iter().take(MAX_STEPS).enumerate() {
            if self.is_full() {
                break;
            }
            let pointer = child("/steps", at);
            let object = self.object(value, &pointer, &STEP_FIELDS);
            let step = object.map(|object| self.step(object, into));
            let step = step.unwrap_or_default();
            into.positions.entry(step.id.clone()).or_insert(at);
            into.steps.push(step);
            let named = object.map(|object| self.array(object, "needs").to_vec());
            needs.push(named.unwrap_or_default());
        }
        needs
    }

    fn step(&mut self, object: Object<'_>, before: &Definition) -> Step {
        let id = self.required_text(object, "id").unwrap_or_default();
        if object.get("id").is_some_and(|id| id.as_text().is_some()) {
            self.step_id(id, &object.place("id"), before);
        }
        let for_each = object.get("for_each");
        if for_each.is_some_and(|list| list.as_text().is_none() && list.as_array().is_none()) {
            self.refuse(
                object.place("for_each"),
                "must be an expression or an array",
            );
        }
        let condition = object.get("if");
        if condition.is_some_and(|value| value.as_text().is_none() && value.as_bool().is_none()) {
            self.refuse(object.place("if"), "must be an expression, true or false");
        }
        if for_each.is_none() && object.get("concurrency").is_some() {
            self.refuse(
                object.place("concurrency"),
                "has no meaning without `for_each`",
            );
        }
        Step {
            id: id.to_owned(),
            tool: self.tool(object),
            with: Template::unread(self.with(object)),
            condition: condition.cloned().map(Template::unread),
            for_each: for_each.cloned().map(Template::unread),
            concurrency: self.count(object, "concurrency", MAX_CONCURRENCY),
            retry: self.retry(object),
            timeout: self.timeout(object),
            on_error: self.on_error(object),
            needs: BTreeSet::new(),
            dependants: BTreeSet::new(),
        }
    }

    fn step_id(&mut self, id: &str, pointer: &str, before: &Definition) {
        let head = id.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if !head || id.len() > 63 || !id.chars().all(rest) {
            self.refuse(
                pointer,
                "must be a lower-case letter and up to 62 lower-case letters, digits, `_` and `-`",
            );
        }
        if let Some(other) = before.position(id) {
            self.refuse(
                pointer,
                format!("the id `{id}` is that of /steps/{other} as well"),
            );
        }
    }

    fn tool(&mut self, object: Object<'_>) -> String {
        let tool = self.required_text(object, "tool");
        tool.unwrap_or_default().to_owned()
    }

    fn with(&mut self, object: Object<'_>) -> Json {
        let empty = || Json::Object(BTreeMap::new());
        let Some(with) = object.get("with") else {
            return empty();
        };
        if self.members(with, &object.place("with")).is_none() {
            return empty();
        }
        with.clone()
    }

    fn retry(&mut self, step: Object<'_>) -> Option<Retry> {
        let pointer = step.place("retry");
        let object = self.object(step.get("retry")?, &pointer, &RETRY_FIELDS)?;
        let backoffs = [
            ("fixed", Backoff::Fixed),
            ("exponential", Backoff::Exponential),
        ];
        let default = Retry::default();
        let initial = self.duration(object, "initial").unwrap_or(default.initial);
        let max = self.duration(object, "max");
        if max.is_some_and(|max| max < initial) {
            self.refuse(object.place("max"), "must not be less than `initial`");
        }
        Some(Retry {
            max_attempts: self
                .count(object, "max_attempts", MAX_ATTEMPTS)
                .unwrap_or(default.max_attempts),
            backoff: self
                .choice(object, "backoff", &backoffs)
                .unwrap_or(default.backoff),
            initial,
            max: max.unwrap_or(default.max).max(initial),
            jitter: self.boolean(object, "jitter").unwrap_or(default.jitter),
        })
    }

    fn timeout(&mut self, step: Object<'_>) -> Option<Duration> {
        let timeout = self.duration(step, "timeout")?;
        if timeout.is_zero() {
            self.refuse(step.place("timeout"), "must be more than nothing");
        }
        Some(timeout)
    }

    fn on_error(&mut self, step: Object<'_>) -> OnError {
        let choices = [
            ("fail", OnError::Fail),
            ("continue", OnError::Continue),
            ("skip", OnError::Skip),
        ];
        self.choice(step, "on_error", &choices).unwrap_or_default()
    }

    fn outputs(&mut self, definition: Object<'_>, into: &mut Definition) {
        into.outputs = Template::unread(Json::Object(BTreeMap::new()));
        let Some(value) = definition.get("outputs") else {
            return;
        };
        let Some(members) = self.members(value, "/outputs") else {
            return;
        };
        self.at_most(members.len(), MAX_OUTPUTS, "/outputs", "outputs");
        for name in members.keys() {
            if self.is_full() {
                return;
            }
            self.name(name, &child("/outputs", name));
        }
        into.outputs = Template::unread(value.clone());
    }

    fn name(&mut self, name: &str, pointer: &str) {
        let head = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !head || name.len() > 63 || !name.chars().all(rest) {
            self.refuse(
                pointer,
                "the name must be a letter and up to 62 letters, digits, `_` and `-`",
            );
        }
    }

    fn at_most(&mut self, count: usize, max: usize, pointer: &str, what: &str) {
        if count > max {
            self.refuse(pointer, format!("{count} {what} are more than {max}"));
        }
    }
}

impl Template {
    /// A template whose references have not been looked for yet.
    fn unread(value: Json) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }
}
