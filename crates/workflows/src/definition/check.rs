//! Checks the steps of a definition against the tools they call.

use std::collections::BTreeMap;

use super::{Definition, Step, literal};
use crate::{
    Json, Violation,
    ports::{Expressions, Toolbox},
};

/// Notes unknown tools, and parameters that cannot fit their tool.
pub(super) fn tools(
    definition: &Definition,
    toolbox: &impl Toolbox,
    expressions: &impl Expressions,
    violations: &mut Vec<Violation>,
) {
    for (at, step) in definition.steps.iter().enumerate() {
        if step.tool.is_empty() {
            continue;
        }
        let spec = toolbox.specs().iter().find(|spec| spec.name == step.tool);
        let Some(spec) = spec else {
            let detail = format!("there is no tool `{}`", step.tool);
            violations.push(Violation::new(format!("/steps/{at}/tool"), detail));
            continue;
        };
        let found = if step.with.dynamic.is_empty() {
            constant(step, toolbox, expressions)
        } else {
            literal::check(&spec.input_schema, &step.with, expressions)
        };
        let pointer = format!("/steps/{at}/with");
        let found = found.into_iter().map(|one| one.under(&pointer));
        // What is wrong at a place already is not told again in other words.
        let known = violations.len();
        for violation in found {
            let same = |one: &Violation| one.pointer == violation.pointer;
            if !violations[..known].iter().any(same) {
                violations.push(violation);
            }
        }
    }
}

/// Checks parameters that do not depend on the run in full.
fn constant(step: &Step, toolbox: &impl Toolbox, expressions: &impl Expressions) -> Vec<Violation> {
    let scope = Json::Object(BTreeMap::new());
    match expressions.evaluate(&step.with.value, &scope) {
        Ok(input) => toolbox.check(&step.tool, &input),
        Err(error) => vec![Violation::new(error.pointer, error.message)],
    }
}
