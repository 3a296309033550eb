//! `artifact.read`: what is known about an artifact, and its text.

use std::sync::Arc;

use archesai_content::{Artifact, ArtifactId};
use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::Artifacts,
    extract::ExtractError,
    extractor::Extractor,
    failure, shapes,
    tool::{Call, Spec, Tool, done},
    toolbox::Parts,
    wording::counted,
};

/// Reads an artifact.
pub(super) struct ArtifactRead {
    artifacts: Arc<dyn Artifacts>,
    extractor: Extractor,
}

#[derive(Deserialize)]
struct Input {
    artifact_id: ArtifactId,
}

impl ArtifactRead {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
            extractor: parts.extractor.clone(),
        }
    }

    /// The text as it was extracted or, before it is indexed, as it will be; `None` where there is none.
    async fn text(
        &self,
        call: &Call<'_>,
        artifact: &Artifact,
    ) -> Result<Option<String>, ToolError> {
        let failed = failure::of_artifact(artifact.id);
        let stored = self.artifacts.text(call.actor, artifact.id).await;
        if let Some(text) = stored.map_err(&failed)? {
            return Ok(Some(text));
        }
        let limit = self.extractor.max_bytes();
        if artifact.size > limit {
            return Ok(None);
        }
        let bytes = self
            .artifacts
            .bytes(call.actor, artifact.id, limit)
            .await
            .map_err(&failed)?;
        match self
            .extractor
            .read(bytes, &artifact.media_type, &artifact.name)
            .await
        {
            Ok(extracted) => Ok(Some(extracted.text)),
            Err(error @ ExtractError::Busy) => Err(failure::of_document(&error)),
            Err(error) => {
                call.tell(&format!("it has no text: {error}"));
                Ok(None)
            }
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
        let text = self.text(&call, &artifact).await?;
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
