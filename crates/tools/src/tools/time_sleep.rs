//! `time.sleep`: nothing, for a while.

use std::{sync::Arc, time::Duration};

use archesai_workflows::{Clock, Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::{
    capabilities::Parts,
    shapes,
    tool::{Call, Spec, Tool, done},
};

/// The longest sleep in seconds: 30 days.
const LONGEST: u32 = 30 * 24 * 60 * 60;

/// Waits without a worker.
pub(super) struct TimeSleep {
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Input {
    seconds: f64,
}

impl TimeSleep {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            clock: Arc::clone(&parts.clock),
        }
    }
}

#[async_trait]
impl Tool for TimeSleep {
    fn spec(&self) -> Spec {
        let input = json!({
            "seconds": {"type": "number", "minimum": 0, "maximum": LONGEST, "description": "How long to wait."},
        });
        let output = json!({
            "slept_seconds": {"type": "number", "minimum": 0, "description": "How long it was to wait."},
        });
        Spec {
            name: "time.sleep",
            description: "Waits. No worker is kept waiting meanwhile.",
            input: shapes::object(input, &["seconds"]),
            output: shapes::object(output, &["slept_seconds"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let seconds = call.input.get("seconds").cloned();
        let input: Input = call.read()?;
        if call.sleeps > 0 || input.seconds <= 0.0 {
            return done(json!({"slept_seconds": seconds}));
        }
        let length = Duration::try_from_secs_f64(input.seconds);
        let length =
            length.map_err(|error| ToolError::permanent("invalid_input", error.to_string()))?;
        call.tell(&format!("sleeps for {length:?}"));
        Ok(Outcome::Sleep {
            until: self.clock.now() + length,
        })
    }
}
