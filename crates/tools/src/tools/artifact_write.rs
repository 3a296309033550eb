//! `artifact.write`: a result, stored.

use std::sync::Arc;

use archesai_content::{self as content, ArtifactId, NewArtifact};
use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::{Artifacts, Parts},
    failure, shapes,
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// Stores an artifact. Its id is that of the step run, so that a step that is tried again stores it once.
pub(super) struct ArtifactWrite {
    artifacts: Arc<dyn Artifacts>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    content: Value,
    media_type: Option<String>,
    #[serde(default)]
    metadata: content::Json,
    #[serde(default)]
    labels: Vec<String>,
}

impl ArtifactWrite {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
        }
    }
}

#[async_trait]
impl Tool for ArtifactWrite {
    fn spec(&self) -> Spec {
        let input = json!({
            "name": {"type": "string", "minLength": 1, "maxLength": 255, "description": "What to call it."},
            "content": {"description": "A text, which is stored as it is; any other value is stored as JSON."},
            "media_type": shapes::text("What the content is; by default found out from the name and the content."),
            "metadata": {"type": "object", "description": "What to say about it, to filter by."},
            "labels": {
                "type": "array", "maxItems": 32, "items": {"type": "string"},
                "description": "Its labels; those that do not exist are made.",
            },
        });
        let output = json!({
            "artifact_id": shapes::artifact_id("The artifact that was stored."),
            "name": shapes::text("What it is called."),
            "media_type": shapes::text("What it is."),
            "size": shapes::count("How many bytes it has."),
        });
        Spec {
            name: "artifact.write",
            description: "Stores a text or a value as an artifact, which can then be searched and downloaded.",
            input: shapes::object(input, &["name", "content"]),
            output: shapes::object(output, &["artifact_id", "name", "media_type", "size"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input: Input = call.read()?;
        let (bytes, media_type) = match input.content {
            Value::String(text) => (text.into_bytes(), None),
            value => (
                value.to_string().into_bytes(),
                Some("application/json".to_owned()),
            ),
        };
        let new = NewArtifact {
            id: Some(ArtifactId(call.step_run_id.0)),
            name: input.name,
            media_type: input.media_type.or(media_type),
            metadata: input.metadata,
            labels: input.labels,
        };
        let written = self.artifacts.write(call.actor, new, bytes).await;
        let artifact = written.map_err(|error| failure::of_content(&error))?;
        let size = counted(usize::try_from(artifact.size).unwrap_or(usize::MAX), "byte");
        call.tell(&format!("stored {} with {size}", artifact.name));
        done(json!({
            "artifact_id": artifact.id,
            "name": artifact.name,
            "media_type": artifact.media_type,
            "size": artifact.size,
        }))
    }
}
