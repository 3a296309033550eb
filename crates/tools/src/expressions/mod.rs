//! The expressions that join the steps of a pipeline, as in `"{{ steps.extract.output.text }}"`.
//!
//! The language is that of Jinja's expressions (by `minijinja`), without its statements: no loops, no assignments, no calls.
//! A string that is exactly one `{{ }}` stands for the value of the expression, whatever its type; any other string with `{{ }}`
//! is text in which the expressions are replaced; everything else stands for itself. Nothing here can read a file, the
//! clock or anything else that is not in the scope, and what an expression may cost is bounded.

mod convert;
mod error;
mod filters;
mod names;
mod parse;
mod references;
mod scope;
mod walk;

use std::sync::LazyLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value as Engine};
use serde_json::Value;

pub use error::ExpressionError;
pub use references::{Reference, Root};

use convert::Budget;
use parse::{Parsed, parse};
use scope::Scope;
use walk::Roots;

/// What expressions may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Work for one call, in units of one instruction or 64 bytes of data. Default 1 million: no value on the way is larger
    /// than 64 MB.
    pub fuel: u64,
    /// Largest result of one call, in bytes of its JSON, roughly. Default 10 MiB.
    pub output_bytes: usize,
    /// Most names, numbers and signs in one `{{ }}`. Default 400.
    pub tokens: usize,
    /// Longest string with expressions, in bytes. Default 1 MiB.
    pub template_bytes: usize,
    /// Deepest nesting of templates and results. Default 128.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 1_000_000,
            output_bytes: 10 << 20,
            tokens: 400,
            template_bytes: 1 << 20,
            depth: 128,
        }
    }
}

/// Checks and evaluates expressions under given limits.
pub struct Expressions {
    environment: Environment<'static>,
    limits: Limits,
}

/// How many bytes of data a unit of fuel is worth.
const UNITS: u64 = 64;

static STANDARD: LazyLock<Expressions> = LazyLock::new(|| Expressions::new(Limits::default()));

/// Checks a template under the default limits; see [`Expressions::check`].
///
/// # Errors
/// Every mistake that was found.
pub fn check(template: &Value) -> Result<Vec<Reference>, Vec<ExpressionError>> {
    STANDARD.check(template)
}

/// Evaluates a template under the default limits; see [`Expressions::evaluate`].
///
/// # Errors
/// The first expression that has no value.
pub fn evaluate(template: &Value, scope: &Value) -> Result<Value, ExpressionError> {
    metered(template, scope, &mut 0)
}

/// Evaluates a template under the default limits; see [`Expressions::metered`].
///
/// # Errors
/// As [`evaluate`].
pub fn metered(template: &Value, scope: &Value, spent: &mut u64) -> Result<Value, ExpressionError> {
    STANDARD.metered(template, scope, spent)
}

/// Renders text with any variables under the default limits; see [`Expressions::render`].
///
/// # Errors
/// As [`evaluate`].
pub fn render(template: &str, variables: &Value) -> Result<String, ExpressionError> {
    STANDARD.render(template, variables)
}

impl Expressions {
    /// Expressions under `limits`.
    pub fn new(limits: Limits) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_recursion_limit(64);
        environment.set_syntax(parse::syntax());
        for function in ["range", "dict", "debug", "namespace"] {
            environment.remove_global(function);
        }
        filters::install(&mut environment, limits.output_bytes);
        Self {
            environment,
            limits,
        }
    }

    /// Checks every string of a template and lists what they refer to.
    ///
    /// # Errors
    /// Every mistake that was found: wrong syntax, statements, calls, unknown names, filters and tests.
    pub fn check(&self, template: &Value) -> Result<Vec<Reference>, Vec<ExpressionError>> {
        let (mut references, mut errors) = (Vec::new(), Vec::new());
        each_string(template, self.limits.depth, &mut |pointer, text| match text
            .map(|text| parse(text, Roots::Pipeline, &self.limits))
        {
            Some(Ok(parsed)) => {
                references.extend(parsed.references().filter_map(|found| found.at(pointer)));
            }
            Some(Err(found)) => errors.extend(found.into_iter().map(|error| error.at(pointer))),
            None => errors.push(self.too_deep().at(pointer)),
        });
        if errors.is_empty() {
            Ok(references)
        } else {
            Err(errors)
        }
    }

    /// Puts values in place of the expressions of a template. The scope is an object with the roots that
    /// [`Reference`] names, as far as they exist where the template stands.
    ///
    /// # Errors
    /// The first expression that has no value: a mistake that [`Expressions::check`] would find, a name without a value
    /// (except in `default` and `is defined`), or a limit that was reached.
    pub fn evaluate(&self, template: &Value, scope: &Value) -> Result<Value, ExpressionError> {
        self.metered(template, scope, &mut 0)
    }

    /// As [`Expressions::evaluate`], for templates that share the bound on their work: `spent` is what those before took of
    /// [`Limits::fuel`].
    ///
    /// # Errors
    /// As [`Expressions::evaluate`].
    pub fn metered(
        &self,
        template: &Value,
        scope: &Value,
        spent: &mut u64,
    ) -> Result<Value, ExpressionError> {
        let mut run = Run::new(self, scope, *spent);
        let value = run.value(template, 0);
        *spent = run.spent;
        value
    }

    /// Renders text in which any variable may stand. The result is text even where it is one expression.
    ///
    /// # Errors
    /// As [`Expressions::evaluate`].
    pub fn render(&self, template: &str, variables: &Value) -> Result<String, ExpressionError> {
        match parse(template, Roots::Any, &self.limits).map_err(first)? {
            Parsed::Plain => Ok(template.to_owned()),
            parsed => Run::new(self, variables, 0).text(template, &parsed),
        }
    }

    fn too_deep(&self) -> ExpressionError {
        ExpressionError::new(format!(
            "it is nested deeper than {} levels",
            self.limits.depth
        ))
    }
}

/// One evaluation of a template.
struct Run<'a> {
    expressions: &'a Expressions,
    environment: Environment<'static>,
    scope: &'a Value,
    budget: Budget,
    spent: u64,
    pointer: String,
}

impl<'a> Run<'a> {
    fn new(expressions: &'a Expressions, scope: &'a Value, spent: u64) -> Self {
        let limits = &expressions.limits;
        Self {
            expressions,
            environment: expressions.environment.clone(),
            scope,
            budget: Budget::new(limits.output_bytes, limits.depth),
            spent,
            pointer: String::new(),
        }
    }

    fn value(&mut self, template: &Value, depth: usize) -> Result<Value, ExpressionError> {
        if depth > self.expressions.limits.depth {
            return Err(self.expressions.too_deep().at(&self.pointer));
        }
        match template {
            Value::String(text) => self.string(text).map_err(|error| error.at(&self.pointer)),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.inside(&index.to_string(), item, depth))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            Value::Object(entries) => entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), self.inside(key, item, depth)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    fn inside(&mut self, key: &str, item: &Value, depth: usize) -> Result<Value, ExpressionError> {
        let length = self.pointer.len();
        push_token(&mut self.pointer, key);
        let value = self.value(item, depth + 1);
        self.pointer.truncate(length);
        value
    }

    fn string(&mut self, text: &str) -> Result<Value, ExpressionError> {
        let expressions = self.expressions;
        let parsed = parse(text, Roots::Pipeline, &expressions.limits).map_err(first)?;
        match &parsed {
            Parsed::Plain => {
                self.budget.take(text.len()).map_err(ExpressionError::new)?;
                Ok(Value::String(text.to_owned()))
            }
            Parsed::Expression { source, .. } => self.expression(source, &parsed),
            Parsed::Text { .. } => self.text(text, &parsed).map(Value::String),
        }
    }

    fn expression(&mut self, source: &str, parsed: &Parsed) -> Result<Value, ExpressionError> {
        // An expression alone does not tell what it took.
        let statement = format!("{{% set value = ({source}) %}}");
        let (_, value) = self.work(&statement, parsed)?;
        if value.is_undefined() {
            return Err(Scope::new(self.scope, parsed).undefined());
        }
        let before = self.budget.left();
        let value = self.budget.json(&value).map_err(ExpressionError::new);
        self.spend((before - self.budget.left()) as u64);
        value
    }

    fn text(&mut self, template: &str, parsed: &Parsed) -> Result<String, ExpressionError> {
        let (text, _) = self.work(template, parsed)?;
        self.budget.take(text.len()).map_err(ExpressionError::new)?;
        Ok(text)
    }

    /// Does what a template says, with what is left of the fuel. Answers its text, and what it calls `value`.
    fn work(
        &mut self,
        template: &str,
        parsed: &Parsed,
    ) -> Result<(String, Engine), ExpressionError> {
        let scope = Scope::new(self.scope, parsed);
        self.spend(scope.cost());
        let left = self.expressions.limits.fuel.saturating_sub(self.spent);
        self.environment.set_fuel(Some(left));
        let done = self
            .environment
            .template_from_str(template)
            .and_then(|template| template.render_captured(scope.value()));
        match done {
            Ok(done) => {
                let levels = done.state().fuel_levels();
                self.spent += levels.map_or(left, |(consumed, _)| consumed);
                let value = done.state().lookup("value").unwrap_or_default();
                Ok((done.into_output(), value))
            }
            Err(error) => {
                // What a failure took is not told.
                self.spent += match error.kind() {
                    ErrorKind::OutOfFuel => left,
                    _ => self.expressions.limits.fuel / 100,
                };
                Err(scope.explain(&error))
            }
        }
    }

    /// Takes work off the fuel that the engine knows nothing of, in bytes of data.
    fn spend(&mut self, bytes: u64) {
        self.spent = self.spent.saturating_add(bytes / UNITS);
    }
}

/// The parser finds the mistakes of all expressions in a string; evaluation tells the first.
fn first(errors: Vec<ExpressionError>) -> ExpressionError {
    let unknown = || ExpressionError::new("it cannot be understood");
    errors.into_iter().next().unwrap_or_else(unknown)
}

/// Calls `found` with the pointer of each string, and with nothing where the nesting is too deep.
fn each_string(template: &Value, depth: usize, found: &mut impl FnMut(&str, Option<&str>)) {
    fn visit(
        value: &Value,
        left: usize,
        pointer: &mut String,
        found: &mut impl FnMut(&str, Option<&str>),
    ) {
        let length = pointer.len();
        let mut inside = |key: &str, item: &Value, pointer: &mut String| {
            push_token(pointer, key);
            match left.checked_sub(1) {
                Some(left) => visit(item, left, pointer, found),
                None => found(pointer, None),
            }
            pointer.truncate(length);
        };
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    inside(&index.to_string(), item, pointer);
                }
            }
            Value::Object(entries) => {
                for (key, item) in entries {
                    inside(key, item, pointer);
                }
            }
            Value::String(text) => found(pointer, Some(text)),
            _ => {}
        }
    }
    visit(template, depth, &mut String::new(), found);
}

/// Adds a reference token to a JSON Pointer (RFC 6901, 3).
fn push_token(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
