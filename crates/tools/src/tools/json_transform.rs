//! `json.transform`: a value through a jq filter.

use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    jq::{self, JqError, Limits},
    shapes,
    slots::Slots,
    tool::{Call, Spec, Tool, done},
};

/// Runs a jq filter.
pub(super) struct JsonTransform(pub(super) Slots);

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    input: Value,
    filter: String,
}

#[async_trait]
impl Tool for JsonTransform {
    fn spec(&self) -> Spec {
        let filter = shapes::text(
            "A jq filter, such as `.rows | map(.price) | add`. It sees neither the clock nor the environment.",
        );
        let input = json!({
            "input": {"description": "Any value."},
            "filter": filter,
        });
        let output = json!({
            "result": {"description": "What the filter gives; an array where it gives several values, or none."},
        });
        Spec {
            name: "json.transform",
            description: "Transforms a value by a jq filter.",
            input: shapes::object(input, &["input", "filter"]),
            output: shapes::object(output, &["result"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let Input { input, filter } = call.read()?;
        let transform = move || jq::transform(&input, &filter, &Limits::default());
        let result = self
            .0
            .run(transform)
            .await?
            .map_err(|error| failed(&error))?;
        done(json!({"result": result}))
    }
}

fn failed(error: &JqError) -> ToolError {
    let code = match error {
        JqError::Syntax { .. } => "invalid_filter",
        JqError::Failed(_) => "filter_failed",
        JqError::Limit(_) => "filter_too_costly",
        JqError::Busy => return ToolError::transient("busy", error.to_string()),
    };
    ToolError::permanent(code, error.to_string())
}
