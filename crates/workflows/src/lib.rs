//! The workflows bounded context: pipelines, their runs and the steps of these.
//!
//! A [definition] is checked when it is saved. The [engine] decides,
//! as a pure function of a run's state and an event, what happens next; the
//! [`Service`] evaluates, persists and hands out work around it. The crate knows
//! no database, no tool, no expression language and no timer: it names what it
//! needs in [`ports`], and depends on `std` and `serde` only.

pub mod definition;
pub mod engine;
mod error;
#[path = "json.gen.rs"]
mod json;
#[path = "kernel.gen.rs"]
mod kernel;
#[path = "model.gen.rs"]
mod model;
mod pipeline;
pub mod ports;
mod run;
mod service;
mod size;
mod tool;

pub use error::{Error, Result, Violation};
pub use json::*;
pub use kernel::*;
pub use model::*;
pub use pipeline::Pipeline;
pub use run::{LogEntry, LogLine, Run, RunError, StepError, StepRun};
pub use service::{
    Actor, Adapters, Call, Definitions, Move, NewPipeline, PipelineChanges, Prepared, Reaped,
    Service, Settings,
};
pub use tool::{Cancellation, Invocation, Log, Outcome, ToolError, ToolSpec};
