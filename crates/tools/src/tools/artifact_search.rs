//! `artifact.search`: passages by meaning and by words.

use std::sync::Arc;

use archesai_content::{self as content, ArtifactId, Hit, SearchFilter, SearchMode, SearchRequest};
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

/// Searches the artifacts of the organization.
pub(super) struct ArtifactSearch {
    artifacts: Arc<dyn Artifacts>,
}

#[derive(Deserialize)]
struct Input {
    query: String,
    #[serde(default = "usual_limit")]
    limit: u32,
    mode: Option<SearchMode>,
    #[serde(default)]
    filter: Filter,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    labels: Vec<String>,
    metadata: content::Json,
    artifact_ids: Option<Vec<ArtifactId>>,
    media_type: Option<String>,
}

const fn usual_limit() -> u32 {
    10
}

impl ArtifactSearch {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
        }
    }
}

#[async_trait]
impl Tool for ArtifactSearch {
    fn spec(&self) -> Spec {
        Spec {
            name: "artifact.search",
            description: "Finds passages of the organization's artifacts, by meaning, by words, or by both.",
            input: input(),
            output: output(),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input: Input = call.read()?;
        let request = SearchRequest {
            query: Some(input.query),
            embedding: None,
            mode: input.mode,
            limit: input.limit,
            filter: SearchFilter {
                labels: input.filter.labels,
                metadata: input.filter.metadata,
                artifact_ids: input.filter.artifact_ids,
                media_type: input.filter.media_type,
            },
        };
        let found = self.artifacts.search(call.actor, request).await;
        let hits = found.map_err(|error| failure::of_content(&error))?;
        call.tell(&format!("found {}", counted(hits.len(), "passage")));
        let results: Vec<_> = hits.iter().map(result).collect();
        done(json!({"results": results}))
    }
}

fn result(hit: &Hit) -> Value {
    json!({
        "artifact_id": hit.artifact_id,
        "artifact_name": hit.artifact_name,
        "chunk_id": hit.chunk_id,
        "text": hit.text,
        "score": hit.score,
        "position": hit.position,
    })
}

fn input() -> Value {
    let modes = SearchMode::ALL.iter().map(|mode| mode.as_str());
    let filter = json!({
        "labels": {"type": "array", "items": {"type": "string"}, "description": "They have all of these labels."},
        "metadata": {"type": "object", "description": "They have these members in their metadata."},
        "artifact_ids": {
            "type": "array", "maxItems": 1000, "items": {"type": "string", "format": "uuid"},
            "description": "They are one of these.",
        },
        "media_type": shapes::text("They are of this media type."),
    });
    let mut filter = shapes::members(filter, &[]);
    filter["description"] = json!("In which artifacts to search: those that meet every condition.");
    let properties = json!({
        "query": {"type": "string", "minLength": 1, "description": "What to look for."},
        "limit": {
            "type": "integer", "minimum": 1, "maximum": 100, "default": usual_limit(),
            "description": "How many passages to find at most.",
        },
        "mode": {
            "enum": modes.collect::<Vec<_>>(), "default": "hybrid",
            "description": "By meaning, by words, or by both.",
        },
        "filter": filter,
    });
    shapes::object(properties, &["query"])
}

fn output() -> Value {
    let result = json!({
        "artifact_id": shapes::artifact_id("Whose text it is from."),
        "artifact_name": shapes::text("What that artifact is called."),
        "chunk_id": {"type": "string", "format": "uuid", "description": "The passage."},
        "text": shapes::text("Its text."),
        "score": {"type": "number", "description": "How good it is; comparable within one answer only."},
        "position": shapes::count("Its place among the passages of the artifact, from 0."),
    });
    let required = [
        "artifact_id",
        "artifact_name",
        "chunk_id",
        "text",
        "score",
        "position",
    ];
    let result = shapes::members(result, &required);
    let properties = json!({
        "results": {"type": "array", "items": result, "description": "The passages, the best first."},
    });
    shapes::object(properties, &["results"])
}
