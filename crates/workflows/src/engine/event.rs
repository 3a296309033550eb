//! What may happen to a step, as the engine is told.

use std::{error, fmt, time::SystemTime};

use crate::ToolError;

/// What happened to a step that a worker had, or to an item of one.
#[derive(Clone, Debug, PartialEq)]
pub enum StepEvent {
    /// It is done.
    Succeeded,
    /// The attempt failed, or was given up when its time was up.
    Failed {
        /// How.
        error: ToolError,
        /// How much jitter shortens the delay before the next attempt, in
        /// thousandths of the most that it may.
        jitter: u16,
    },
    /// Its own condition is false.
    Skipped,
    /// It fans out.
    Expanded {
        /// Over how many items.
        items: u32,
    },
    /// It is to be called again then, and not before.
    Slept {
        /// When.
        until: SystemTime,
    },
    /// The lease of its worker ended: the worker crashed, hangs or is cut off.
    Lost,
    /// Its worker gave it back undone, as one that shuts down does.
    Released,
}

/// The event does not fit the state: the run or the step has ended, or is not
/// in the hands of the one who tells. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the step or its run has moved on")
    }
}

impl error::Error for Refused {}
