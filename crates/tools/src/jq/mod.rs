//! `json.transform`: runs a jq filter over a value.
//!
//! The language is that of jq (by `jaq`), without what reaches out of the filter: no environment, clock, input, modules or
//! log. Filters may be endless in many ways; each of them ends with an error. The filter runs on a thread of its own with a
//! deadline, and its values count steps, memory, depth and the use of the stack (see `meter`).

mod access;
mod arithmetic;
mod functions;
mod json;
mod meter;
mod patterns;
mod recent;
mod recursion;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use serde_json::Value;
use thiserror::Error;

use crate::bounded::{self, Cancel, Stopped};
use functions::{Data, Program};
use meter::{Ended, Meter};
use recent::Recent;

/// Address space of the thread's stack, in bytes. Only what is touched becomes memory.
const STACK: usize = 512 << 20;

/// How much of the stack the filter may use; the rest is for what is unwound and dropped.
const STACK_FOR_FILTER: usize = 96 << 20;

/// Deepest nesting of values.
const MAX_DEPTH: u32 = 512;

/// The filters of this process.
static COMPILED: Recent<Filter<Data>> = Recent::new();

/// What a filter may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest filter, in bytes. Default 16 KiB.
    pub filter_bytes: usize,
    /// Longest time. Default 5 seconds.
    pub time: Duration,
    /// Most steps: copies, comparisons and the like. Default 50 million.
    pub steps: u64,
    /// Most memory that values take at once, in bytes, roughly. Default 128 MiB.
    pub memory_bytes: u64,
    /// Largest value, in bytes of its JSON, roughly. Default 32 MiB.
    pub value_bytes: u64,
    /// Most outputs. Default 100,000.
    pub outputs: usize,
    /// Largest sum of the outputs, in bytes of their JSON, roughly. Default 32 MiB.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            filter_bytes: 16 << 10,
            time: Duration::from_secs(5),
            steps: 50_000_000,
            memory_bytes: 128 << 20,
            value_bytes: 32 << 20,
            outputs: 100_000,
            output_bytes: 32 << 20,
        }
    }
}

/// Why a filter gave no result. Every message may be shown to whoever wrote the filter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JqError {
    /// The filter cannot be parsed.
    #[error("the filter is not valid at character {position}: {detail}")]
    Syntax {
        /// Where, in characters from 0.
        position: usize,
        /// What is wrong.
        detail: String,
    },
    /// The filter failed on this input.
    #[error("the filter failed: {0}")]
    Failed(String),
    /// A limit was reached.
    #[error("the filter {0}")]
    Limit(&'static str),
    /// The machine had no thread left; trying again later may help.
    #[error("too many filters are running at once")]
    Busy,
}

impl From<Ended> for JqError {
    fn from(ended: Ended) -> Self {
        Self::Limit(match ended {
            Ended::Steps => "takes too many steps",
            Ended::Memory => "needs too much memory",
            Ended::Size => "makes a value that is too large",
            Ended::Depth => "makes a value that is nested too deep",
            Ended::Recursion => "calls itself too deep",
            Ended::Time => "takes too long",
        })
    }
}

/// Runs a filter over a value. One output is the result itself; several, or none, are an array.
///
/// # Errors
/// When the filter is not valid, fails on the value, or reaches a limit.
pub fn transform(input: &Value, filter: &str, limits: &Limits) -> Result<Value, JqError> {
    if filter.len() > limits.filter_bytes {
        return Err(JqError::Limit("is too long"));
    }
    let (input, filter, own) = (input.clone(), filter.to_owned(), limits.clone());
    let outcome = bounded::run(STACK, limits.time, move |cancel| {
        let work = AssertUnwindSafe(|| run(input, &filter, &own, cancel));
        match catch_unwind(work) {
            Ok(result) => result,
            Err(payload) => Err(match payload.downcast_ref::<Ended>() {
                Some(ended) => JqError::from(*ended),
                None => JqError::Failed("it cannot be run".to_owned()),
            }),
        }
    });
    match outcome {
        Ok(result) => result,
        Err(Stopped::TimedOut) => Err(JqError::from(Ended::Time)),
        Err(Stopped::Panicked) => Err(JqError::Failed("it cannot be run".to_owned())),
        Err(Stopped::NoThread) => Err(JqError::Busy),
    }
}

fn run(input: Value, filter: &str, limits: &Limits, cancel: &Cancel) -> Result<Value, JqError> {
    let filter = COMPILED.get(filter, compile)?;
    meter::start(Meter {
        steps: limits.steps,
        memory: limits.memory_bytes,
        size: limits.value_bytes,
        stack: STACK_FOR_FILTER,
        cancel: cancel.clone(),
    });
    let context = Ctx::<Data>::new(Program::new(&filter.lut), Vars::new([]));
    let (mut outputs, mut size) = (Vec::new(), 0);
    for output in filter.id.run((context, json::read(input))) {
        let output = output.map_err(|exception| failed(exception.get_err().ok()))?;
        size += output.size();
        if size > limits.output_bytes {
            return Err(JqError::Limit("makes too large outputs"));
        }
        if outputs.len() >= limits.outputs {
            return Err(JqError::Limit("makes too many outputs"));
        }
        outputs.push(json::tree(&output));
    }
    Ok(match outputs.len() {
        1 => outputs.swap_remove(0),
        _ => Value::Array(outputs),
    })
}

fn failed(error: Option<jaq_core::Error<value::Item>>) -> JqError {
    let detail = error.map_or_else(|| "it broke off".to_owned(), |error| error.to_string());
    JqError::Failed(shorten(&detail))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn compile(source: &str) -> Result<Filter<Data>, JqError> {
    let filter = build(source, functions::definitions())?;
    let Some(mut term) = load::parse(source, |parser| parser.term()) else {
        return Err(JqError::Limit("cannot be a module"));
    };
    if !recursion::mark(&mut term) {
        return Ok(filter);
    }
    let whole = Def {
        name: WHOLE,
        args: Vec::new(),
        body: term,
    };
    build(WHOLE, functions::definitions().chain([whole]))
}

/// The name of the filter where it is a definition.
const WHOLE: &str = "archesai_whole_filter";

fn build<'s>(
    source: &'s str,
    definitions: impl Iterator<Item = Def<&'s str>>,
) -> Result<Filter<Data>, JqError> {
    let arena = Arena::default();
    let file = File {
        code: source,
        path: (),
    };
    let modules = Loader::new(definitions)
        .load(&arena, file)
        .map_err(|errors| first(source, errors, syntax))?;
    Compiler::default()
        .with_funs(functions::functions())
        .compile(modules)
        .map_err(|errors| {
            first(source, errors, |undefined| {
                let (name, kind) = undefined.into_iter().next()?;
                Some((name, format!("{} {name} is unknown", kind.as_str())))
            })
        })
}

/// The first error of the first file, with the place of the piece of source that it is about.
fn first<'a, E>(
    source: &'a str,
    errors: load::Errors<&'a str, (), E>,
    explain: impl Fn(E) -> Option<(&'a str, String)>,
) -> JqError {
    let found = errors.into_iter().find_map(|(_, error)| explain(error));
    let (piece, detail) = found.unwrap_or(("", "it cannot be understood".to_owned()));
    let offset = (piece.as_ptr().addr()).checked_sub(source.as_ptr().addr());
    let before = offset.and_then(|offset| source.get(..offset));
    JqError::Syntax {
        position: before.unwrap_or(source).chars().count(),
        detail: shorten(&detail),
    }
}

fn syntax(error: load::Error<&str>) -> Option<(&str, String)> {
    match error {
        load::Error::Lex(errors) => {
            let (expected, found) = errors.into_iter().next()?;
            Some((found, format!("{} is expected", expected.as_str())))
        }
        load::Error::Parse(errors) => {
            let (expected, found) = errors.into_iter().next()?;
            Some((found, format!("{} is expected", expected.as_str())))
        }
        load::Error::Io(errors) => {
            let (name, _) = errors.into_iter().next()?;
            Some((name, "modules cannot be loaded".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
