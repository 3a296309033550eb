//! What workflows knows, as the contract shows it.

use archesai_workflows::{
    Error, Json, LogLevel, LogLine, Pipeline, Run, RunError, RunStatus, StepError, StepRun,
    StepStatus, ToolSpec, Violation, engine::Items,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::time;
use crate::{Fault, Problem, Versioned, generated::workflows as api};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Invalid(violations) => {
                Self::invalid(violations.into_iter().map(fault).collect())
            }
            Error::VersionConflict => {
                Self::with_detail(actix_web::http::StatusCode::PRECONDITION_FAILED, error)
            }
            Error::AlreadyExists | Error::RunEnded => Self::conflict(error),
            Error::Unavailable(cause) => Self::unavailable(cause),
            error => Self::unavailable(error),
        }
    }
}

fn fault(violation: Violation) -> Fault {
    Fault {
        pointer: violation.pointer,
        detail: violation.detail,
    }
}

/// An object of a request, as the domain has it.
pub(super) fn json(object: Map<String, Value>) -> Result<Json, Problem> {
    serde_json::from_value(Value::Object(object)).map_err(Problem::unavailable)
}

/// A value of the domain.
fn value(json: &Json) -> Result<Value, Problem> {
    serde_json::to_value(json).map_err(Problem::unavailable)
}

/// What is an object by the rules of the domain.
fn object(json: &Json) -> Result<Map<String, Value>, Problem> {
    match value(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(Problem::unavailable("a stored document is not an object")),
    }
}

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A share in hundredths of a percent, in percent.
pub(super) fn percent(hundredths: u16) -> f64 {
    f64::from(hundredths) / 100.0
}

pub(super) fn pipeline(found: Pipeline) -> Result<api::Pipeline, Problem> {
    Ok(api::Pipeline {
        id: Uuid::from_u128(found.id.0),
        organization_id: Uuid::from_u128(found.organization_id.0),
        name: found.name,
        description: found.description,
        definition: object(&found.definition)?,
        version: count(found.version),
        created_by: Uuid::from_u128(found.created_by.0),
        created_at: time(found.created_at),
        updated_at: time(found.updated_at),
    })
}

pub(super) fn versioned(found: Pipeline) -> Result<Versioned<api::Pipeline>, Problem> {
    Ok(Versioned {
        version: found.version,
        value: pipeline(found)?,
    })
}

pub(super) fn validation(violations: Vec<Violation>) -> api::PipelineValidation {
    let errors = violations.into_iter().map(|violation| {
        let Violation { pointer, detail } = violation.under("/definition");
        crate::generated::common::Fault { pointer, detail }
    });
    let errors: Vec<_> = errors.collect();
    api::PipelineValidation {
        valid: errors.is_empty(),
        errors,
    }
}

pub(super) fn run(found: Run) -> Result<api::Run, Problem> {
    Ok(api::Run {
        id: Uuid::from_u128(found.id.0),
        organization_id: Uuid::from_u128(found.organization_id.0),
        pipeline_id: Uuid::from_u128(found.pipeline_id.0),
        pipeline_version: count(found.pipeline_version),
        status: run_status(found.status),
        progress: percent(found.progress),
        input: object(&found.input)?,
        output: found.output.as_ref().map(object).transpose()?,
        error: found.error.map(run_error),
        created_by: Uuid::from_u128(found.created_by.0),
        created_at: time(found.created_at),
        started_at: found.started_at.map(time),
        completed_at: found.completed_at.map(time),
    })
}

pub(super) fn run_error(error: RunError) -> api::RunError {
    api::RunError {
        code: error.code,
        message: error.message,
        step: error.step,
    }
}

pub(super) fn run_status(status: RunStatus) -> api::RunStatus {
    match status {
        RunStatus::Queued => api::RunStatus::Queued,
        RunStatus::Running => api::RunStatus::Running,
        RunStatus::Waiting => api::RunStatus::Waiting,
        RunStatus::Succeeded => api::RunStatus::Succeeded,
        RunStatus::Failed => api::RunStatus::Failed,
        RunStatus::Cancelled => api::RunStatus::Cancelled,
    }
}

/// A status to look for, as the domain has it.
pub(super) fn domain_status(status: api::RunStatus) -> RunStatus {
    match status {
        api::RunStatus::Queued => RunStatus::Queued,
        api::RunStatus::Running => RunStatus::Running,
        api::RunStatus::Waiting => RunStatus::Waiting,
        api::RunStatus::Succeeded => RunStatus::Succeeded,
        api::RunStatus::Failed => RunStatus::Failed,
        api::RunStatus::Cancelled => RunStatus::Cancelled,
    }
}

pub(super) fn step(found: StepRun) -> Result<api::Step, Problem> {
    let document = |json: Option<&Json>| json.map_or(Ok(Value::Null), value);
    Ok(api::Step {
        id: found.step,
        run_step_id: Uuid::from_u128(found.id.0),
        index: found.index.map(i64::from),
        tool: found.tool,
        status: step_status(found.status),
        attempt: found.attempt.into(),
        items: found.items.map(items),
        input: document(found.input.as_ref())?,
        output: document(found.output.as_ref())?,
        error: found.error.map(step_error),
        created_at: time(found.created_at),
        started_at: found.started_at.map(time),
        completed_at: found.completed_at.map(time),
    })
}

fn items(items: Items) -> api::StepItems {
    api::StepItems {
        total: items.total.into(),
        started: items.started.into(),
        done: items.done.into(),
        failed: items.failed.into(),
    }
}

fn step_error(error: StepError) -> api::StepError {
    api::StepError {
        code: error.code,
        message: error.message,
    }
}

pub(super) fn step_status(status: StepStatus) -> api::StepStatus {
    match status {
        StepStatus::Pending => api::StepStatus::Pending,
        StepStatus::Ready => api::StepStatus::Ready,
        StepStatus::Running => api::StepStatus::Running,
        StepStatus::Waiting => api::StepStatus::Waiting,
        StepStatus::Succeeded => api::StepStatus::Succeeded,
        StepStatus::Failed => api::StepStatus::Failed,
        StepStatus::Skipped => api::StepStatus::Skipped,
        StepStatus::Cancelled => api::StepStatus::Cancelled,
    }
}

pub(super) fn log_line(line: LogLine) -> api::LogLine {
    api::LogLine {
        run_step_id: Uuid::from_u128(line.step_run_id.0),
        at: time(line.at),
        level: log_level(line.level),
        message: line.message,
    }
}

pub(super) fn log_level(level: LogLevel) -> api::LogLevel {
    match level {
        LogLevel::Debug => api::LogLevel::Debug,
        LogLevel::Info => api::LogLevel::Info,
        LogLevel::Warn => api::LogLevel::Warn,
        LogLevel::Error => api::LogLevel::Error,
    }
}

pub(super) fn tool(spec: &ToolSpec) -> Result<api::Tool, Problem> {
    Ok(api::Tool {
        name: spec.name.clone(),
        description: spec.description.clone(),
        input_schema: schema(&spec.input_schema)?,
        output_schema: schema(&spec.output_schema)?,
    })
}

/// A schema as an object, whose way to say `true` is to say nothing.
fn schema(schema: &Json) -> Result<Map<String, Value>, Problem> {
    match schema {
        Json::Bool(true) => Ok(Map::new()),
        schema => object(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_survive_the_way_in_and_out() {
        let text = r#"{"a": [1, -2, 3.5, "x", null, true, 9007199254740993], "b": {"c": {}}}"#;
        let given: Map<String, Value> = serde_json::from_str(text).unwrap();
        let kept = json(given.clone()).unwrap();
        assert_eq!(object(&kept).unwrap(), given);
    }

    #[test]
    fn violations_point_into_the_body() {
        let violation = Violation::new("/steps/1/tool", "there is no such tool");
        let answer = validation(vec![violation]);
        assert!(!answer.valid);
        assert_eq!(answer.errors[0].pointer, "/definition/steps/1/tool");
        assert!(validation(Vec::new()).valid);
    }

    #[test]
    fn progress_has_two_decimals() {
        assert_eq!(serde_json::to_string(&percent(3_333)).unwrap(), "33.33");
        assert_eq!(serde_json::to_string(&percent(10_000)).unwrap(), "100.0");
    }
}
