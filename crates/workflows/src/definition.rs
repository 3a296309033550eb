//! Definitions of pipelines: what they may say, and what is wrong with one that may not.
//!
//! A definition is a JSON object with `inputs`, `steps` and `outputs`. Unknown
//! fields are refused; a member that is `null` counts as absent. Bounds:
//! [`MAX_BYTES`] bytes of compact JSON, [`MAX_VALUES`] values in it, [`MAX_STEPS`]
//! steps, [`MAX_INPUTS`] inputs, [`MAX_OUTPUTS`] outputs, [`MAX_DEPTH`] levels. An id is a lower-case letter followed by at most 62
//! lower-case letters, digits, `_` and `-`; the names of inputs and outputs
//! follow the same rule but for upper-case letters, which they may hold too. A
//! duration is a whole number and one of `ms`, `s`, `m`, `h`: `250ms`.

mod bounds;
mod check;
mod cycle;
mod duration;
mod input;
mod literal;
mod pointer;
mod read;
mod reader;
mod references;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub use bounds::{MAX_BYTES, MAX_VALUES};
pub use input::{Format, Input, Kind};

use crate::{
    Json, Violation,
    ports::{Expressions, Toolbox},
};

/// How many steps a definition may have.
pub const MAX_STEPS: usize = 500;
/// How many inputs a definition may have.
pub const MAX_INPUTS: usize = 100;
/// How many outputs a definition may have.
pub const MAX_OUTPUTS: usize = 100;
/// How deep the arrays and objects of a definition, or of a run's input, may nest.
pub const MAX_DEPTH: usize = 64;

/// What a pipeline does, with its references resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// What a run is given, by name.
    pub inputs: BTreeMap<String, Input>,
    /// What is done.
    pub steps: Vec<Step>,
    /// What comes of a run: a template for each name.
    pub outputs: Template,
    /// Where each step is; of steps with the same id, the first.
    positions: BTreeMap<String, usize>,
}

/// One step of a definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Names the step within its definition.
    pub id: String,
    /// The tool it calls.
    pub tool: String,
    /// What the tool is called with: a template for each parameter.
    pub with: Template,
    /// `if`: the step is skipped unless this is true.
    pub condition: Option<Template>,
    /// The list it fans out over.
    pub for_each: Option<Template>,
    /// How many items of the fan-out may be under way at once; `None` is any number.
    pub concurrency: Option<u32>,
    /// How it is tried again; `None` leaves that to the engine.
    pub retry: Option<Retry>,
    /// How long one call of the tool may take; `None` leaves that to the service.
    pub timeout: Option<Duration>,
    /// What follows from its failure.
    pub on_error: OnError,
    /// The steps that must have ended before, as positions: those it names and those it refers to.
    pub needs: BTreeSet<usize>,
    /// The steps that need this one, as positions.
    pub dependants: BTreeSet<usize>,
}

/// A JSON value with expressions in it, and what these read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The value.
    pub value: Json,
    /// The steps whose results it reads, as positions.
    pub steps: BTreeSet<usize>,
    /// Whether it reads inputs of the run.
    pub inputs: bool,
    /// The strings in it that read anything at all (JSON Pointer, RFC 6901).
    pub dynamic: BTreeSet<String>,
}

/// What follows from the failure of a step whose attempts are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The run fails, and what has not ended is cancelled.
    #[default]
    Fail,
    /// The steps that need it go on, with a null output and `steps.<id>.error`.
    Continue,
    /// It counts as skipped, and so does every step that needs it, directly or not.
    Skip,
}

/// How a step is tried again after an error that another attempt may not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts there are, with the first.
    pub max_attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The delay after the first attempt.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// Whether a delay is shortened by up to a half, so that steps that failed
    /// together do not all come back together.
    pub jitter: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max: Duration::from_mins(1),
            jitter: true,
        }
    }
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// It stays the same.
    Fixed,
    /// It doubles.
    Exponential,
}

/// Checks a definition, and everything in it that can be checked before a run.
///
/// # Errors
///
/// The violations found, sorted by place; of more than a hundred not all.
pub fn validate(
    definition: &Json,
    toolbox: &impl Toolbox,
    expressions: &impl Expressions,
) -> Result<Definition, Vec<Violation>> {
    if let Some(detail) = bounds::exceeded(definition) {
        return Err(vec![Violation::new("", detail)]);
    }
    let (definition, mut reader) = read::read(definition, expressions);
    check::tools(&definition, toolbox, expressions, &mut reader);
    if reader.is_empty() {
        Ok(definition)
    } else {
        Err(reader.told())
    }
}

impl Definition {
    /// Reads a definition that was valid when it was saved. What is not valid
    /// any more fails its step when it gets there.
    pub fn load(definition: &Json, expressions: &impl Expressions) -> Self {
        read::read(definition, expressions).0
    }

    /// The position of a step.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// Checks the input of a run, and fills in the defaults.
    ///
    /// # Errors
    ///
    /// Every violation: an unknown input, one that is missing, one that does not fit.
    pub fn check_input(&self, input: &Json) -> Result<Json, Vec<Violation>> {
        input::check(&self.inputs, input)
    }

    /// The `inputs` of a scope: those a run was given, and null for the others.
    pub fn scope_inputs(&self, given: &Json) -> Json {
        let value = |name: &String| given.get(name).cloned().unwrap_or_default();
        let members = self.inputs.keys().map(|name| (name.clone(), value(name)));
        Json::Object(members.collect())
    }
}
