//! Runs of pipelines and of their steps, as they are shown.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{
    Json, LogLevel, OrganizationId, PipelineId, RunId, RunStatus, StepRunId, StepStatus, UserId,
    engine::Items,
};

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Identity; never reused.
    pub id: RunId,
    /// The tenant.
    pub organization_id: OrganizationId,
    /// Of which pipeline.
    pub pipeline_id: PipelineId,
    /// Of which version of it.
    pub pipeline_version: u64,
    /// Where it stands.
    pub status: RunStatus,
    /// The share of its steps that ended, in hundredths of a percent (0 to 10 000).
    pub progress: u16,
    /// The values of the definition's inputs, defaults among them.
    pub input: Json,
    /// The values of the definition's outputs; `None` until it succeeded.
    pub output: Option<Json>,
    /// Why it failed; `None` unless it did.
    pub error: Option<RunError>,
    /// Who started it, and on whose behalf its tools act.
    pub created_by: UserId,
    /// When it was asked for.
    pub created_at: SystemTime,
    /// When its first step began.
    pub started_at: Option<SystemTime>,
    /// When it ended, in whatever way.
    pub completed_at: Option<SystemTime>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// What kind of error, for a program.
    pub code: String,
    /// What went wrong, for a person.
    pub message: String,
    /// The step that failed; `None` where the outputs could not be evaluated.
    pub step: Option<String>,
}

/// Why a step, or an attempt at it, failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    /// What kind of error, for a program.
    pub code: String,
    /// What went wrong, for a person.
    pub message: String,
}

/// The run of one step, or of one item of its fan-out.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRun {
    /// Identity; never reused.
    pub id: StepRunId,
    /// Of which run.
    pub run_id: RunId,
    /// The step's id in the definition.
    pub step: String,
    /// Which item of the fan-out, from 0; `None` for the step itself.
    pub index: Option<u32>,
    /// The tool it calls.
    pub tool: String,
    /// Where it stands.
    pub status: StepStatus,
    /// Which attempt it is at, from 1; 0 before the first.
    pub attempt: u32,
    /// How many workers were lost with it.
    pub crashes: u32,
    /// How far its fan-out is; `None` where it has none.
    pub items: Option<Items>,
    /// When it is due; `None` unless it is ready.
    pub ready_at: Option<SystemTime>,
    /// What its tool was called with, once a call has ended.
    pub input: Option<Json>,
    /// What came of it; `None` unless it succeeded.
    pub output: Option<Json>,
    /// Why it, or its last attempt, failed.
    pub error: Option<StepError>,
    /// When it came into being.
    pub created_at: SystemTime,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended, in whatever way.
    pub completed_at: Option<SystemTime>,
}

/// What a step has to tell, before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: SystemTime,
    /// How much it matters.
    pub level: LogLevel,
    /// What.
    pub message: String,
}

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its place; greater than those of the lines of the run appended before it.
    pub sequence: u64,
    /// Of which run.
    pub run_id: RunId,
    /// Which step run told it.
    pub step_run_id: StepRunId,
    /// When.
    pub at: SystemTime,
    /// How much it matters.
    pub level: LogLevel,
    /// What.
    pub message: String,
}
