//! What a tool is: a description and a function.
//!
//! To add one, write a file in `tools/` that implements [`Tool`], and name it in `tools.rs`. Nothing else knows how many
//! there are.

use archesai_workflows::{
    Actor, Cancellation, Log, LogLevel, Outcome, RunId, StepRunId, ToolError,
};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::convert;

/// Something that a step of a pipeline can do.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// What it is called, what it does, takes and gives.
    fn spec(&self) -> Spec;

    /// Does it. The input fits the schema of the [spec](Self::spec), and the output must fit the other one. The future is
    /// dropped when the step is cancelled or its time is up, so an effect must be whole or not there at every `await`.
    ///
    /// # Errors
    ///
    /// One with a code and words for whoever wrote the pipeline, which says whether another attempt may help.
    async fn call(&self, call: Call<'_>) -> Result<Outcome, ToolError>;
}

/// What a tool is called, what it does, takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What definitions call it: a subject and a verb, as in `text.split`.
    pub name: &'static str,
    /// What it does, for a person.
    pub description: &'static str,
    /// What it takes (JSON Schema 2020-12).
    pub input: Value,
    /// What it gives (JSON Schema 2020-12).
    pub output: Value,
}

/// One call of a tool.
pub struct Call<'a> {
    /// What it is called with.
    pub input: Value,
    /// In which organization, and on whose behalf.
    pub actor: Actor,
    /// In which run.
    pub run_id: RunId,
    /// As which step run: the same for every attempt at it, so that an effect can be told from its repetition.
    pub step_run_id: StepRunId,
    /// How often the tool slept in this attempt.
    pub sleeps: u32,
    /// Where it tells what it does.
    pub log: &'a dyn Log,
    /// Whether to stop, for a tool that does not give the control back for long.
    pub cancellation: &'a dyn Cancellation,
}

impl Call<'_> {
    /// Takes the input as a type of the tool's own.
    ///
    /// # Errors
    ///
    /// A permanent one if the type is narrower than the schema.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<T, ToolError> {
        serde_json::from_value(self.input.take())
            .map_err(|error| ToolError::permanent("invalid_input", error.to_string()))
    }

    /// Writes a line into the step's log.
    pub fn tell(&self, message: &str) {
        self.log.write(LogLevel::Info, message);
    }
}

/// The answer of a tool that is done.
///
/// # Errors
///
/// Never; it is what [`Tool::call`] answers.
pub fn done(output: Value) -> Result<Outcome, ToolError> {
    Ok(Outcome::Done(convert::to_json(output)))
}
