//! Finds what the expressions of a definition refer to, and with it the edges
//! between steps.

use std::mem;

use super::{Definition, Input, Template, cycle, pointer::child, reader::Reader};
use crate::{
    Json,
    ports::{Expressions, Reference},
};

/// Where a template stands, which decides what it may refer to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `if` of a step.
    Condition(usize),
    /// `for_each` of a step.
    List(usize),
    /// `with` of a step.
    Parameters(usize),
    /// `outputs`.
    Outputs,
}

impl Place {
    /// The step it belongs to.
    fn step(self) -> Option<usize> {
        match self {
            Self::Condition(at) | Self::List(at) | Self::Parameters(at) => Some(at),
            Self::Outputs => None,
        }
    }
}

/// Resolves every reference; `needs` is what each step says under that name.
pub(super) fn resolve(
    reader: &mut Reader,
    definition: &mut Definition,
    needs: &[Vec<Json>],
    expressions: &impl Expressions,
) {
    let mut resolver = Resolver {
        reader,
        definition,
        expressions,
    };
    resolver.templates();
    for (at, needs) in needs.iter().enumerate() {
        resolver.needs(at, needs);
    }
    if !reader.is_full() {
        cycle::check(definition, reader);
    }
}

struct Resolver<'a, E> {
    reader: &'a mut Reader,
    definition: &'a mut Definition,
    expressions: &'a E,
}

impl<E: Expressions> Resolver<'_, E> {
    /// Conditions come first: they may name inputs that are not declared, and
    /// the templates after them may then use these as well.
    fn templates(&mut self) {
        for at in 0..self.definition.steps.len() {
            let condition = self.definition.steps[at].condition.take();
            let read = condition.map(|template| self.template(template, Place::Condition(at)));
            self.definition.steps[at].condition = read;
        }
        for at in 0..self.definition.steps.len() {
            let list = self.definition.steps[at].for_each.take();
            let read = list.map(|template| self.template(template, Place::List(at)));
            self.definition.steps[at].for_each = read;
            let with = mem::take(&mut self.definition.steps[at].with);
            self.definition.steps[at].with = self.template(with, Place::Parameters(at));
        }
        let outputs = mem::take(&mut self.definition.outputs);
        self.definition.outputs = self.template(outputs, Place::Outputs);
    }

    fn template(&mut self, mut template: Template, place: Place) -> Template {
        if self.reader.is_full() {
            return template;
        }
        let pointer = match place {
            Place::Condition(at) => format!("/steps/{at}/if"),
            Place::List(at) => format!("/steps/{at}/for_each"),
            Place::Parameters(at) => format!("/steps/{at}/with"),
            Place::Outputs => "/outputs".to_owned(),
        };
        match self.expressions.references(&template.value) {
            Err(violations) => {
                for violation in violations {
                    let violation = violation.under(&pointer);
                    self.reader.refuse(violation.pointer, violation.detail);
                }
            }
            Ok(references) => {
                for reference in references {
                    if let Some(detail) = self.reference(&reference, place, &mut template) {
                        let pointer = format!("{pointer}{}", reference.pointer);
                        self.reader.refuse(pointer, detail);
                    }
                    template.dynamic.insert(reference.pointer);
                }
            }
        }
        template
    }

    /// Notes what a template refers to, or says why it may not.
    fn reference(
        &mut self,
        reference: &Reference,
        place: Place,
        template: &mut Template,
    ) -> Option<String> {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["inputs", rest @ ..] => {
                template.inputs = true;
                self.input(rest.first().copied()?, place)
            }
            ["steps", rest @ ..] => self.step(rest, place, template),
            ["run", rest @ ..] => match rest.first() {
                Some(&("id" | "pipeline_id" | "pipeline_version")) | None => None,
                Some(name) => Some(format!("a run has no `{name}`")),
            },
            [name @ ("item" | "index"), ..] => {
                let within = matches!(place, Place::Parameters(at) if self.definition.steps[at].for_each.is_some());
                let detail =
                    || format!("there is `{name}` only in the `with` of a step with `for_each`");
                (!within).then(detail)
            }
            [name, ..] => Some(format!(
                "there is no `{name}`; expressions read inputs, steps, run, item and index"
            )),
            [] => None,
        }
    }

    /// A condition may ask for an input that is not declared, which makes it
    /// an optional one; anywhere else that is a mistake.
    fn input(&mut self, name: &str, place: Place) -> Option<String> {
        if self.definition.inputs.contains_key(name) {
            return None;
        }
        if !matches!(place, Place::Condition(_)) {
            return Some(format!("there is no input `{name}`"));
        }
        let inputs = &mut self.definition.inputs;
        inputs.insert(name.to_owned(), Input::default());
        None
    }

    fn step(&mut self, path: &[&str], place: Place, template: &mut Template) -> Option<String> {
        let [id, rest @ ..] = path else {
            return Some("which step is meant must be said: steps.<id>.output".to_owned());
        };
        let Some(needed) = self.definition.position(id) else {
            return Some(format!("there is no step `{id}`"));
        };
        if let Some(field) = rest.first()
            && !["output", "error", "status"].contains(field)
        {
            return Some(format!(
                "a step has no `{field}`; it has output, error and status"
            ));
        }
        template.steps.insert(needed);
        self.edge(place.step()?, needed)
    }

    fn needs(&mut self, at: usize, needs: &[Json]) {
        for (nth, need) in needs.iter().enumerate() {
            if self.reader.is_full() {
                return;
            }
            let detail = match need.as_text() {
                None => Some("must be the id of a step".to_owned()),
                Some(id) => match self.definition.position(id) {
                    None => Some(format!("there is no step `{id}`")),
                    Some(needed) => self.edge(at, needed),
                },
            };
            if let Some(detail) = detail {
                let pointer = child(&format!("/steps/{at}/needs"), nth);
                self.reader.refuse(pointer, detail);
            }
        }
    }

    fn edge(&mut self, at: usize, needed: usize) -> Option<String> {
        if at == needed {
            return Some("a step cannot need itself".to_owned());
        }
        self.definition.steps[at].needs.insert(needed);
        self.definition.steps[needed].dependants.insert(at);
        None
    }
}
