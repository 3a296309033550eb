//! What a tool is to a step: what it takes, how it is called, what it answers.

use std::{
    fmt,
    pin::Pin,
    time::{Duration, SystemTime},
};

use crate::{Json, LogLevel, OrganizationId, RunId, StepError, StepRunId, UserId};

/// What a tool takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// What definitions call it: `text.split`.
    pub name: String,
    /// What it does, for a person.
    pub description: String,
    /// What it takes (JSON Schema 2020-12).
    pub input_schema: Json,
    /// What it gives (JSON Schema 2020-12).
    pub output_schema: Json,
}

/// One call of a tool.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// What it is called with; fits its input schema.
    pub input: &'a Json,
    /// The tenant.
    pub organization_id: OrganizationId,
    /// On whose behalf it acts.
    pub user_id: UserId,
    /// In which run.
    pub run_id: RunId,
    /// As which step run. The same for every attempt at it, so this is also what
    /// an effect is deduplicated by (an idempotency key).
    pub step_run_id: StepRunId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How often the tool answered [`Outcome::Sleep`] in this attempt; more than 0 means that it woke up.
    pub sleeps: u32,
    /// Where it tells what it does.
    pub log: &'a dyn Log,
    /// Whether to stop.
    pub cancellation: &'a dyn Cancellation,
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("tool", &self.tool)
            .field("run_id", &self.run_id)
            .field("step_run_id", &self.step_run_id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Takes down what a tool tells.
pub trait Log: Send + Sync {
    /// Adds a line. It may be dropped where a step tells too much.
    fn write(&self, level: LogLevel, message: &str);
}

/// Tells a tool to stop: its run was cancelled, its step is another worker's
/// now, or its time is up. What it answers after that is discarded.
pub trait Cancellation: Send + Sync {
    /// Whether to stop.
    fn is_cancelled(&self) -> bool;

    /// Ends when it is time to stop.
    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// What a tool answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done; the output of the step.
    Done(Json),
    /// Nothing is to do until then. The step holds no worker meanwhile, and the
    /// tool is called again with the same input and [`Invocation::sleeps`] one greater.
    Sleep {
        /// When to go on.
        until: SystemTime,
    },
}

/// How a call of a tool fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError {
    /// What kind of error, for a program: lower case with underscores.
    pub code: String,
    /// What went wrong, for who wrote the pipeline.
    pub message: String,
    /// Whether the same call may succeed another time.
    pub retryable: bool,
    /// How long to wait before the next attempt at least, where the other side said so.
    pub retry_after: Option<Duration>,
}

impl ToolError {
    /// An error that every further attempt would meet as well.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: false,
            retry_after: None,
        }
    }

    /// An error that may be gone at the next attempt.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::permanent(code, message)
        }
    }

    /// The error of a call that was given up after its step's timeout; another attempt may be faster.
    pub fn timed_out(timeout: Duration) -> Self {
        let message = format!("the step took longer than its timeout of {timeout:?}");
        Self::transient("timed_out", message)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for ToolError {}

impl From<&ToolError> for StepError {
    fn from(error: &ToolError) -> Self {
        Self {
            code: error.code.clone(),
            message: error.message.clone(),
        }
    }
}
