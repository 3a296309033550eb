//! Checks the steps of a definition against the tools they call.

use std::collections::BTreeMap;

use super::{Definition, Step, literal, reader::Reader};
use crate::{
    Json, Violation,
    ports::{Expressions, Toolbox, Work},
};

/// Notes unknown tools, and parameters that cannot fit their tool.
pub(super) fn tools(
    definition: &Definition,
    toolbox: &impl Toolbox,
    expressions: &impl Expressions,
    reader: &mut Reader,
) {
    // What is wrong at a place already is not told again in other words.
    let known = reader.places();
    let mut work = Work::default();
    for (at, step) in definition.steps.iter().enumerate() {
        if reader.is_full() {
            return;
        }
        if step.tool.is_empty() {
            continue;
        }
        let spec = toolbox.specs().iter().find(|spec| spec.name == step.tool);
        let Some(spec) = spec else {
            let detail = format!("there is no tool `{}`", step.tool);
            reader.refuse(format!("/steps/{at}/tool"), detail);
            continue;
        };
        let found = if step.with.dynamic.is_empty() {
            constant(step, toolbox, expressions, &mut work)
        } else {
            literal::check(&spec.input_schema, &step.with, expressions, &mut work)
        };
        let pointer = format!("/steps/{at}/with");
        let found = found.into_iter().map(|one| one.under(&pointer));
        for violation in found.filter(|one| !known.contains(&one.pointer)) {
            reader.refuse(violation.pointer, violation.detail);
        }
    }
}

/// Checks parameters that do not depend on the run in full.
fn constant(
    step: &Step,
    toolbox: &impl Toolbox,
    expressions: &impl Expressions,
    work: &mut Work,
) -> Vec<Violation> {
    let scope = Json::Object(BTreeMap::new());
    match expressions.evaluate(&step.with.value, &scope, work) {
        Ok(input) => toolbox.check(&step.tool, &input),
        Err(error) => vec![Violation::new(error.pointer, error.message)],
    }
}
