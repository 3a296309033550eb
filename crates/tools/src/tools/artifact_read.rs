//! `artifact.read`: what is known about an artifact, and its text.

use std::sync::Arc;

use archesai_content::ArtifactId;
use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::{Artifacts, Parts},
    failure, shapes,
    texts::Texts,
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// Reads an artifact.
pub(super) struct ArtifactRead {
    artifacts: Arc<dyn Artifacts>,
    texts: Texts,
}

#[derive(Deserialize)]
struct Input {
    artifact_id: ArtifactId,
}

impl ArtifactRead {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
            texts: Texts::new(parts),
        }
    }
}

#[async_trait]
impl Tool for ArtifactRead {
    fn spec(&self) -> Spec {
        let input = json!({"artifact_id": shapes::artifact_id("Which artifact.")});
        Spec {
            name: "artifact.read",
            description: "Reads an artifact: its name, metadata and labels, and the text in it.",
            input: shapes::object(input, &["artifact_id"]),
            output: output(),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let Input { artifact_id } = call.read()?;
        let found = self.artifacts.find(call.actor, artifact_id).await;
        let artifact = found.map_err(failure::of_artifact(artifact_id))?;
        let text = self.texts.of(&call, &artifact).await?;
        let chars = text.as_ref().map_or(0, |text| text.chars().count());
        call.tell(&format!(
            "read {}, {}",
            artifact.name,
            counted(chars, "character")
        ));
        done(json!({
            "artifact_id": artifact.id,
            "name": artifact.name,
            "media_type": artifact.media_type,
            "size": artifact.size,
            "metadata": artifact.metadata,
            "labels": artifact.labels,
            "text": text,
        }))
    }
}

fn output() -> Value {
    let properties = json!({
        "artifact_id": shapes::artifact_id("Which artifact."),
        "name": shapes::text("What it is called."),
        "media_type": shapes::text("What its bytes are."),
        "size": shapes::count("How many bytes it has."),
        "metadata": {"type": "object", "description": "What its makers say about it."},
        "labels": {"type": "array", "items": {"type": "string"}, "description": "Its labels."},
        "text": {"type": ["string", "null"], "description": "The text in it; null where none can be found."},
    });
    let required = [
        "artifact_id",
        "name",
        "media_type",
        "size",
        "metadata",
        "labels",
        "text",
    ];
    shapes::object(properties, &required)
}
