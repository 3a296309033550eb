//! The story of a run, told from its first event on.
//!
//! What an event means to a client depends on those before it: how far the run
//! was, at which attempt a step was. So a story is always begun at the
//! beginning, even where the client has heard part of it already, and the same
//! event is told the same way every time.

use std::{collections::HashMap, mem};

use archesai_workflows::{Event, LogLine, RunError, RunId, RunStatus, StepRunId, StepStatus};
use serde::Serialize;
use uuid::Uuid;

use super::{super::time, shown};
use crate::generated::workflows as api;

/// Something told to a client: the `data` of a server-sent event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Run(api::RunEvent),
    Progress(api::ProgressEvent),
    Step(api::StepEvent),
    Log(api::LogEvent),
}

impl Told {
    /// The name of the server-sent event.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Progress(_) => "progress",
            Self::Step(_) => "step",
            Self::Log(_) => "log",
        }
    }
}

/// Where a step that has not ended stands, as far as the story goes.
struct Current {
    step: String,
    attempt: i64,
}

/// A story, and how far it has been told.
pub(super) struct Story {
    run_id: Uuid,
    progress: u16,
    ended: bool,
    steps: HashMap<StepRunId, Current>,
}

impl Story {
    pub(super) fn new(run: RunId) -> Self {
        Self {
            run_id: Uuid::from_u128(run.0),
            progress: 0,
            ended: false,
            steps: HashMap::new(),
        }
    }

    /// Whether the run had ended by the last event that was told.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Which steps end with their run, as far as they have been told of, if this event ends it:
    /// to be told before the event itself.
    pub(super) fn cut_short(&mut self, event: &Event) -> Vec<Told> {
        if !matches!(event, Event::RunFailed { .. } | Event::RunCancelled { .. }) {
            return Vec::new();
        }
        let mut steps: Vec<_> = mem::take(&mut self.steps).into_iter().collect();
        steps.sort_unstable_by_key(|(id, _)| *id);
        let told = steps.into_iter().map(|(id, current)| {
            let Current { step, attempt } = current;
            step_event(id, step, StepStatus::Cancelled, attempt, None)
        });
        told.collect()
    }

    /// Tells the next event; `None` if there is nothing in it for a client.
    pub(super) fn tell(&mut self, event: Event) -> Option<Told> {
        Some(match event {
            Event::RunQueued { .. } => self.run(RunStatus::Queued, None),
            Event::RunStarted { .. } | Event::RunResumed { .. } => {
                self.run(RunStatus::Running, None)
            }
            Event::RunWaiting { .. } => self.run(RunStatus::Waiting, None),
            Event::RunSucceeded { .. } => self.run(RunStatus::Succeeded, None),
            Event::RunCancelled { .. } => self.run(RunStatus::Cancelled, None),
            Event::RunFailed {
                code,
                message,
                step,
                ..
            } => {
                let error = RunError {
                    code,
                    message,
                    step,
                };
                self.run(RunStatus::Failed, Some(error))
            }
            Event::RunProgressed { progress, .. } => self.progressed(progress),
            event => return self.step_event(event),
        })
    }

    fn step_event(&mut self, event: Event) -> Option<Told> {
        Some(match event {
            Event::StepStarted {
                step_run_id,
                step,
                attempt,
                ..
            } => {
                let current = Current {
                    step: step.clone(),
                    attempt,
                };
                self.steps.insert(step_run_id, current);
                self.step(step_run_id, step, StepStatus::Running, None)
            }
            Event::StepExpanded {
                step_run_id,
                step,
                items,
                ..
            } => {
                let mut told = self.step(step_run_id, step, StepStatus::Waiting, None);
                if let Told::Step(told) = &mut told {
                    told.items = Some(items);
                }
                told
            }
            Event::StepSleeping {
                step_run_id, step, ..
            }
            | Event::StepRequeued {
                step_run_id, step, ..
            } => self.step(step_run_id, step, StepStatus::Ready, None),
            Event::StepRetrying {
                step_run_id,
                step,
                code,
                message,
                ..
            } => {
                let error = api::StepError { code, message };
                self.step(step_run_id, step, StepStatus::Ready, Some(error))
            }
            Event::StepSucceeded {
                step_run_id, step, ..
            } => self.step(step_run_id, step, StepStatus::Succeeded, None),
            Event::StepSkipped {
                step_run_id, step, ..
            } => self.step(step_run_id, step, StepStatus::Skipped, None),
            Event::StepFailed {
                step_run_id,
                step,
                code,
                message,
                ..
            } => {
                let error = api::StepError { code, message };
                self.step(step_run_id, step, StepStatus::Failed, Some(error))
            }
            _ => return None,
        })
    }

    fn run(&mut self, status: RunStatus, error: Option<RunError>) -> Told {
        self.ended = status.is_ended();
        Told::Run(api::RunEvent {
            run_id: self.run_id,
            status: shown::run_status(status),
            progress: shown::percent(self.progress),
            error: error.map(shown::run_error),
        })
    }

    fn progressed(&mut self, progress: i64) -> Told {
        self.progress = u16::try_from(progress).unwrap_or(self.progress);
        Told::Progress(api::ProgressEvent {
            run_id: self.run_id,
            progress: shown::percent(self.progress),
        })
    }

    fn step(
        &mut self,
        id: StepRunId,
        step: String,
        status: StepStatus,
        error: Option<api::StepError>,
    ) -> Told {
        let attempt = self.steps.get(&id).map_or(0, |current| current.attempt);
        if status.is_ended() {
            self.steps.remove(&id);
        }
        step_event(id, step, status, attempt, error)
    }

    /// Tells a line of the log.
    pub(super) fn line(&self, line: LogLine) -> Told {
        let current = self.steps.get(&line.step_run_id);
        Told::Log(api::LogEvent {
            run_step_id: Uuid::from_u128(line.step_run_id.0),
            id: current.map(|current| current.step.clone()),
            at: time(line.at),
            level: shown::log_level(line.level),
            message: line.message,
        })
    }
}

fn step_event(
    id: StepRunId,
    step: String,
    status: StepStatus,
    attempt: i64,
    error: Option<api::StepError>,
) -> Told {
    Told::Step(api::StepEvent {
        run_step_id: Uuid::from_u128(id.0),
        id: step,
        status: shown::step_status(status),
        attempt,
        items: None,
        error,
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use archesai_workflows::LogLevel;
    use serde_json::{Value, json};

    use super::*;

    const RUN: RunId = RunId(1);
    const STEP: StepRunId = StepRunId(2);

    fn started(attempt: i64) -> Event {
        Event::StepStarted {
            run_id: RUN,
            step_run_id: STEP,
            step: "extract".to_owned(),
            attempt,
        }
    }

    /// What a story tells of an event: its name and data.
    fn tell(story: &mut Story, event: Event) -> (&'static str, Value) {
        let told = story.tell(event).unwrap();
        (told.name(), serde_json::to_value(&told).unwrap())
    }

    #[test]
    fn a_step_that_is_retried_and_fails_its_run() {
        let mut story = Story::new(RUN);
        let step = || "extract".to_owned();
        tell(&mut story, started(1));
        let (name, data) = tell(
            &mut story,
            Event::StepRetrying {
                run_id: RUN,
                step_run_id: STEP,
                step: step(),
                attempt: 1,
                code: "overloaded".to_owned(),
                message: "busy".to_owned(),
            },
        );
        assert_eq!(name, "step");
        assert_eq!(data["status"], "ready");
        assert_eq!(data["attempt"], 1);
        assert_eq!(
            data["error"],
            json!({"code": "overloaded", "message": "busy"})
        );

        tell(&mut story, started(2));
        let (_, data) = tell(
            &mut story,
            Event::StepFailed {
                run_id: RUN,
                step_run_id: STEP,
                step: step(),
                code: "timed_out".to_owned(),
                message: "too slow".to_owned(),
            },
        );
        assert_eq!(
            data,
            json!({
                "run_step_id": Uuid::from_u128(2),
                "id": "extract",
                "status": "failed",
                "attempt": 2,
                "error": {"code": "timed_out", "message": "too slow"},
            })
        );
        assert!(!story.ended());

        let failed = Event::RunFailed {
            run_id: RUN,
            code: "timed_out".to_owned(),
            message: "item 3: too slow".to_owned(),
            step: Some("extract".to_owned()),
        };
        let (name, data) = tell(&mut story, failed);
        assert_eq!((name, &data["status"]), ("run", &json!("failed")));
        assert_eq!(
            data["error"],
            json!({"code": "timed_out", "message": "item 3: too slow", "step": "extract"})
        );
        assert!(story.ended());
        assert!(story.steps.is_empty());
    }

    #[test]
    fn progress_is_remembered_from_event_to_event() {
        let mut story = Story::new(RUN);
        let (_, data) = tell(&mut story, Event::RunStarted { run_id: RUN });
        assert_eq!(data["progress"], 0.0);
        let progressed = Event::RunProgressed {
            run_id: RUN,
            progress: 6_667,
        };
        let (name, data) = tell(&mut story, progressed);
        assert_eq!((name, &data["progress"]), ("progress", &json!(66.67)));
        let (_, data) = tell(&mut story, Event::RunCancelled { run_id: RUN });
        assert_eq!(data["status"], "cancelled");
        assert_eq!(data["progress"], 66.67);
        assert!(data.get("error").is_none());
    }

    #[test]
    fn steps_that_end_with_their_run_are_told_of() {
        let mut story = Story::new(RUN);
        let queued = Event::RunStarted { run_id: RUN };
        assert_eq!(story.cut_short(&queued).len(), 0);
        tell(&mut story, started(2));
        let cancelled = Event::RunCancelled { run_id: RUN };
        let told = story.cut_short(&cancelled);
        assert_eq!(
            serde_json::to_value(&told).unwrap(),
            json!([{
                "run_step_id": Uuid::from_u128(2),
                "id": "extract",
                "status": "cancelled",
                "attempt": 2,
            }])
        );
        assert_eq!(story.cut_short(&cancelled).len(), 0);
    }

    #[test]
    fn lines_name_their_step_while_it_goes_on() {
        let mut story = Story::new(RUN);
        let line = LogLine {
            sequence: 1,
            run_id: RUN,
            step_run_id: STEP,
            at: SystemTime::UNIX_EPOCH,
            level: LogLevel::Warn,
            message: "page 3 has no text".to_owned(),
        };
        let data = |told: Told| serde_json::to_value(&told).unwrap();
        assert!(data(story.line(line.clone())).get("id").is_none());
        tell(&mut story, started(1));
        assert_eq!(
            data(story.line(line)),
            json!({
                "run_step_id": Uuid::from_u128(2),
                "id": "extract",
                "at": "1970-01-01T00:00:00Z",
                "level": "warn",
                "message": "page 3 has no text",
            })
        );
    }

    #[test]
    fn events_of_other_things_are_not_told() {
        let deleted = Event::PipelineDeleted {
            pipeline_id: archesai_workflows::PipelineId(3),
        };
        assert!(Story::new(RUN).tell(deleted).is_none());
    }
}
