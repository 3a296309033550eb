//! `text.extract`: the text of a document.

use std::sync::Arc;

use archesai_content::ArtifactId;
use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::{Artifacts, Parts},
    extract::{Extracted, SectionKind},
    extractor::Extractor,
    failure, shapes,
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// Extracts the text of an artifact, or of a document that a step has as text.
pub(super) struct TextExtract {
    artifacts: Arc<dyn Artifacts>,
    extractor: Extractor,
}

#[derive(Deserialize)]
struct Input {
    artifact_id: Option<ArtifactId>,
    text: Option<String>,
    media_type: Option<String>,
}

/// A document on its way.
struct Document {
    bytes: Vec<u8>,
    media_type: String,
    name: String,
}

impl TextExtract {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
            extractor: parts.extractor.clone(),
        }
    }

    async fn open(&self, call: &Call<'_>, input: Input) -> Result<Document, ToolError> {
        let Some(id) = input.artifact_id else {
            return Ok(Document {
                bytes: input.text.unwrap_or_default().into_bytes(),
                media_type: input.media_type.unwrap_or_else(|| "text/plain".to_owned()),
                name: String::new(),
            });
        };
        let found = self.artifacts.find(call.actor, id).await;
        let artifact = found.map_err(failure::of_artifact(id))?;
        let limit = self.extractor.max_bytes();
        let bytes = self.artifacts.bytes(call.actor, id, limit).await;
        Ok(Document {
            bytes: bytes.map_err(failure::of_artifact(id))?,
            media_type: input.media_type.unwrap_or(artifact.media_type),
            name: artifact.name,
        })
    }
}

#[async_trait]
impl Tool for TextExtract {
    fn spec(&self) -> Spec {
        let properties = json!({
            "artifact_id": shapes::artifact_id("The document: PDF, DOCX, HTML, Markdown, CSV or plain text."),
            "text": shapes::text("In place of an artifact: a document that is text, such as an HTML page."),
            "media_type": shapes::text("What the document is, such as text/html; by default what the artifact says, or text/plain."),
        });
        Spec {
            name: "text.extract",
            description: "Extracts the text of a document, and where its pages and headings begin.",
            input: shapes::either(shapes::object(properties, &[]), "artifact_id", "text"),
            output: output(),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input = call.read()?;
        let document = self.open(&call, input).await?;
        let media_type = document.media_type;
        let read = self
            .extractor
            .read(document.bytes, &media_type, &document.name)
            .await;
        let extracted = read.map_err(|error| failure::of_document(&error))?;
        let chars = extracted.text.chars().count();
        call.tell(&told(&extracted, chars));
        done(json!({
            "text": extracted.text,
            "media_type": media_type,
            "sections": extracted.sections,
            "chars": chars,
        }))
    }
}

fn output() -> Value {
    let section = json!({
        "kind": {"enum": ["page", "heading"], "description": "What kind of part it is."},
        "title": shapes::text("The words of a heading; empty for a page."),
        "number": shapes::count("The number of a page, or the level of a heading, from 1."),
        "start": shapes::count("Where it begins in the text, in characters."),
    });
    let section = shapes::members(section, &["kind", "title", "number", "start"]);
    let properties = json!({
        "text": shapes::text("The text, in reading order; an empty line is between its blocks."),
        "media_type": shapes::text("What the document was read as."),
        "sections": {"type": "array", "items": section, "description": "Where pages and headings begin."},
        "chars": shapes::count("How many characters the text has."),
    });
    shapes::object(properties, &["text", "media_type", "sections", "chars"])
}

fn told(extracted: &Extracted, chars: usize) -> String {
    let pages = extracted.sections.iter();
    let pages = pages
        .filter(|section| section.kind == SectionKind::Page)
        .count();
    let text = counted(chars, "character");
    match pages {
        0 => format!("extracted {text}"),
        pages => format!("extracted {text} from {}", counted(pages, "page")),
    }
}
