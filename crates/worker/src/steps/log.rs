//! What a step tells while it runs, until it is written down.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use archesai_workflows::{Clock, Log, LogEntry, LogLevel};

/// How many lines one attempt may tell.
const MAX_LINES: usize = 10_000;

/// Takes lines down.
pub(super) struct StepLog {
    clock: Arc<dyn Clock>,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<LogEntry>,
    told: usize,
}

impl StepLog {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            lines: Mutex::default(),
        }
    }

    /// The lines that were told since the last time.
    pub(super) fn take(&self) -> Vec<LogEntry> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut lines.waiting)
    }
}

impl Log for StepLog {
    fn write(&self, level: LogLevel, message: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.told += 1;
        let (level, message) = match lines.told {
            ..=MAX_LINES => (level, message),
            told if told == MAX_LINES + 1 => (
                LogLevel::Warn,
                "the step tells too much: what follows is not written down",
            ),
            _ => return,
        };
        lines.waiting.push(LogEntry {
            at: self.clock.now(),
            level,
            message: message.to_owned(),
        });
    }
}
