//! `text.split`: a text in passages.

use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::{
    shapes,
    slots::Slots,
    split::{self, MAX_CHARS, MIN_CHARS},
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// Splits a text into passages.
pub(super) struct TextSplit(pub(super) Slots);

#[derive(Deserialize)]
struct Input {
    text: String,
    #[serde(default = "usual_length")]
    max_chars: usize,
    #[serde(default)]
    overlap: usize,
}

const fn usual_length() -> usize {
    800
}

#[async_trait]
impl Tool for TextSplit {
    fn spec(&self) -> Spec {
        let input = json!({
            "text": shapes::text("The text."),
            "max_chars": {
                "type": "integer", "minimum": MIN_CHARS, "maximum": MAX_CHARS, "default": usual_length(),
                "description": "The longest passage, in characters.",
            },
            "overlap": {
                "type": "integer", "minimum": 0, "maximum": MAX_CHARS / 2, "default": 0,
                "description": "How many characters passages that follow each other share at most; half of max_chars or less.",
            },
        });
        let chunk = json!({
            "index": shapes::count("Its place among the passages, from 0."),
            "text": shapes::text("The passage."),
            "start": shapes::count("Where it begins in the text, in characters."),
            "end": shapes::count("Where it ends in the text, in characters."),
        });
        let chunk = shapes::members(chunk, &["index", "text", "start", "end"]);
        let output = json!({
            "chunks": {"type": "array", "items": chunk, "description": "The passages, in order."},
            "count": shapes::count("How many there are."),
        });
        Spec {
            name: "text.split",
            description: "Splits a text into passages, at paragraphs, lines, sentences or words, whatever fits.",
            input: shapes::object(input, &["text"]),
            output: shapes::object(output, &["chunks", "count"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input: Input = call.read()?;
        let split = move || split::split(&input.text, input.max_chars, input.overlap);
        let split = self.0.run(split).await?;
        let chunks =
            split.map_err(|error| ToolError::permanent("invalid_input", error.to_string()))?;
        call.tell(&format!(
            "split the text into {}",
            counted(chunks.len(), "passage")
        ));
        done(json!({"count": chunks.len(), "chunks": chunks}))
    }
}
