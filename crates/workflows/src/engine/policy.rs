//! What applies to every run.

use crate::definition::Retry;

/// What applies to every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How a step is tried again that does not say it itself: 3 attempts, 1 s
    /// after the first and 2 s after the second.
    pub retry: Retry,
    /// Stretches every delay between attempts; 1 leaves them as they are.
    pub retry_scale: f64,
    /// How many workers may be lost with a step before it fails.
    pub max_crashes: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            retry_scale: 1.0,
            max_crashes: 3,
        }
    }
}
