//! Events and log lines of a run, put into one order page by page.

use std::{iter::Peekable, vec};

use archesai_platform::events::LoggedEvent;
use archesai_workflows::LogLine;

/// How many events, and how many log lines, are read at once.
pub(super) const PAGE: u32 = 100;

/// Whether a page may not be the last.
pub(super) fn is_full<T>(page: &[T]) -> bool {
    page.len() >= PAGE as usize
}

/// Something that happened, or that a step told of itself.
#[derive(Debug)]
pub(super) enum News {
    Event(LoggedEvent),
    Line(LogLine),
}

/// A page of events and a page of lines in the order of time, each in its own
/// order. It stops where a full page is used up: what comes after may be older
/// than what is left of the other. The end of a run comes after every line.
pub(super) struct Merged {
    events: Peekable<vec::IntoIter<LoggedEvent>>,
    lines: Peekable<vec::IntoIter<LogLine>>,
    more_events: bool,
    more_lines: bool,
}

impl Merged {
    pub(super) fn new(events: Vec<LoggedEvent>, lines: Vec<LogLine>) -> Self {
        Self {
            more_events: is_full(&events),
            more_lines: is_full(&lines),
            events: events.into_iter().peekable(),
            lines: lines.into_iter().peekable(),
        }
    }
}

impl Iterator for Merged {
    type Item = News;

    fn next(&mut self) -> Option<News> {
        let line_first = match (self.events.peek(), self.lines.peek()) {
            (None, _) if self.more_events => return None,
            (_, None) if self.more_lines => return None,
            (Some(event), Some(line)) => line.at <= event.occurred_at || is_end(event),
            (event, _) => event.is_none(),
        };
        if line_first {
            self.lines.next().map(News::Line)
        } else {
            self.events.next().map(News::Event)
        }
    }
}

/// Whether an event says that the run ended.
fn is_end(event: &LoggedEvent) -> bool {
    matches!(
        event.kind.as_str(),
        "run.succeeded" | "run.failed" | "run.cancelled"
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use archesai_workflows::{LogLevel, RunId, StepRunId};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn event(sequence: i64, kind: &str, seconds: u64) -> LoggedEvent {
        LoggedEvent {
            sequence,
            id: sequence.unsigned_abs().into(),
            organization_id: Some(1),
            actor_id: None,
            aggregate_kind: "run".to_owned(),
            aggregate_id: 2,
            kind: kind.to_owned(),
            payload: "{}".to_owned(),
            occurred_at: at(seconds),
        }
    }

    fn line(sequence: u64, seconds: u64) -> LogLine {
        LogLine {
            sequence,
            run_id: RunId(2),
            step_run_id: StepRunId(3),
            at: at(seconds),
            level: LogLevel::Info,
            message: "a\nb".to_owned(),
        }
    }

    /// The sequences of what is told: of events, and of lines with an `l`.
    fn told(events: Vec<LoggedEvent>, lines: Vec<LogLine>) -> Vec<String> {
        let news = Merged::new(events, lines).map(|news| match news {
            News::Event(event) => event.sequence.to_string(),
            News::Line(line) => format!("l{}", line.sequence),
        });
        news.collect()
    }

    #[test]
    fn news_come_in_the_order_of_time() {
        let events = vec![event(1, "run.started", 1), event(5, "step.started", 3)];
        let lines = vec![line(1, 2), line(2, 3), line(3, 9)];
        assert_eq!(told(events, lines), ["1", "l1", "l2", "5", "l3"]);
    }

    #[test]
    fn a_clock_that_is_behind_puts_no_line_after_the_end() {
        let events = vec![event(1, "step.succeeded", 1), event(2, "run.succeeded", 2)];
        let lines = vec![line(1, 50), line(2, 40)];
        assert_eq!(told(events, lines), ["1", "l1", "l2", "2"]);
    }

    #[test]
    fn a_full_page_is_used_up_before_what_may_come_after_it() {
        let lines: Vec<_> = (1..=u64::from(PAGE)).map(|at| line(at, at)).collect();
        let events = vec![event(1, "run.started", 0), event(2, "run.failed", 1)];
        let told = told(events, lines);
        assert_eq!(told.len(), PAGE as usize + 1);
        assert_eq!(told.last().unwrap(), &format!("l{PAGE}"));
    }
}
