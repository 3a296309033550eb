//! `embedding.create`: texts as vectors, for search or to be used otherwise.

use std::sync::Arc;

use archesai_content::{ArtifactId, Error, ModelInfo, ports::Passage};
use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::{Artifacts, Parts},
    failure, shapes,
    slots::Slots,
    texts::Texts,
    tool::{Call, Spec, Tool, done},
    wording::{counted, grouped},
};

/// The most texts of one call: what an artifact may have of passages.
const MAX_TEXTS: usize = 10_000;

/// The most numbers in the output, so that it stays below what a step may give.
const MAX_NUMBERS: usize = 300_000;

/// Embeds texts.
pub(super) struct EmbeddingCreate {
    artifacts: Arc<dyn Artifacts>,
    texts: Texts,
    slots: Slots,
}

#[derive(Deserialize)]
struct Input {
    text: Option<String>,
    texts: Option<Vec<Text>>,
    artifact_id: Option<ArtifactId>,
}

/// A text, or a passage as `text.split` gives it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Alone(String),
    Within { text: String },
}

impl Input {
    fn texts(self) -> Result<Vec<String>, ToolError> {
        let texts: Vec<String> = match (self.texts, self.text) {
            (Some(texts), _) => texts.into_iter().map(Text::into_text).collect(),
            (None, text) => text.into_iter().collect(),
        };
        match texts.iter().position(|text| text.trim().is_empty()) {
            Some(at) => {
                let message = format!("text {at}, counted from 0, is blank and has no meaning");
                Err(ToolError::permanent("invalid_input", message))
            }
            None => Ok(texts),
        }
    }
}

impl Text {
    fn into_text(self) -> String {
        match self {
            Self::Alone(text) | Self::Within { text } => text,
        }
    }
}

impl EmbeddingCreate {
    pub(super) fn new(parts: &Parts, slots: Slots) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
            texts: Texts::new(parts),
            slots,
        }
    }

    /// Makes the texts what a search finds of an artifact.
    async fn index(
        &self,
        call: &Call<'_>,
        id: ArtifactId,
        texts: Vec<String>,
    ) -> Result<(), ToolError> {
        let failed = failure::of_artifact(id);
        let artifact = self.artifacts.find(call.actor, id).await.map_err(&failed)?;
        let whole = self.texts.of(call, &artifact).await?;
        let locate = move || {
            let passages = located(whole.as_deref().unwrap_or_default(), texts);
            (whole, passages)
        };
        let (whole, passages) = self.slots.run(locate).await?;
        self.artifacts
            .store_passages(call.actor, id, whole, passages)
            .await
            .map_err(&failed)
    }

    async fn vectors(&self, model: &ModelInfo, texts: Vec<String>) -> Result<Value, ToolError> {
        let most = MAX_NUMBERS / (model.dimensions as usize).max(1);
        if texts.len() > most {
            let message = format!(
                "only {most} embeddings of {} fit into the output; name an artifact_id to store more of them for search",
                model.name
            );
            return Err(ToolError::permanent("too_many_texts", message));
        }
        let embedded = self.artifacts.embed(texts).await;
        let vectors = embedded.map_err(|error| failure::of_content(&error))?;
        Ok(vectors.into_iter().map(numbers).collect())
    }
}

#[async_trait]
impl Tool for EmbeddingCreate {
    fn spec(&self) -> Spec {
        let text = json!({
            "type": ["string", "object"],
            "required": ["text"],
            "properties": {"text": {"type": "string"}},
        });
        let input = json!({
            "texts": {
                "type": "array", "items": text, "maxItems": MAX_TEXTS,
                "description": "The texts, or objects with a text in them such as the chunks of text.split.",
            },
            "text": shapes::text("In place of texts: one text."),
            "artifact_id": shapes::artifact_id(
                "The artifact whose passages the texts become, in place of those it has; then search finds them.",
            ),
        });
        let vector = json!({"type": "array", "items": {"type": "number"}});
        let output = json!({
            "model": shapes::text("The model."),
            "dimensions": shapes::count("How many numbers its vectors have."),
            "count": shapes::count("How many texts were embedded."),
            "embeddings": {
                "type": "array", "items": vector,
                "description": "The vectors, of unit length, in the order of the texts; not there with an artifact_id.",
            },
        });
        Spec {
            name: "embedding.create",
            description: "Turns texts into vectors by their meaning, and stores them for search where an artifact is named.",
            input: shapes::either(shapes::object(input, &[]), "texts", "text"),
            output: shapes::object(output, &["model", "dimensions", "count"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input: Input = call.read()?;
        let no_model = || failure::of_content(&Error::NoModel);
        let model = self.artifacts.model().ok_or_else(no_model)?;
        let id = input.artifact_id;
        let texts = input.texts()?;
        let count = texts.len();
        let mut output = json!({
            "model": model.name,
            "dimensions": model.dimensions,
            "count": count,
        });
        match id {
            Some(id) => self.index(&call, id, texts).await?,
            None => output["embeddings"] = self.vectors(&model, texts).await?,
        }
        let dimensions = grouped(model.dimensions as usize);
        let texts = counted(count, "text");
        call.tell(&format!(
            "embedded {texts} in {dimensions} dimensions by {}",
            model.name
        ));
        done(output)
    }
}

/// Finds out where passages lie in a text, each no earlier than the one before; one that is not there, for it is another
/// text's or was changed, is given no extent.
fn located(whole: &str, texts: Vec<String>) -> Vec<Passage> {
    let mut from = 0;
    let passage = |text: String| {
        let found = whole.get(from..).and_then(|rest| rest.find(&text));
        let (start, end) = match found {
            Some(at) => (from + at, from + at + text.len()),
            None => (from, from),
        };
        // The next one may begin within this one, but not with it.
        let step = whole.get(start..).and_then(|rest| rest.chars().next());
        from = match found {
            Some(_) => start + step.map_or(0, char::len_utf8),
            None => from,
        };
        Passage {
            text,
            start: start as u64,
            end: end as u64,
        }
    };
    texts.into_iter().map(passage).collect()
}

/// A vector in the shortest decimals that mean the same: written as doubles, most of their digits would say nothing.
fn numbers(vector: Vec<f32>) -> Value {
    let number = |number: f32| number.to_string().parse::<f64>().unwrap_or_default();
    vector.into_iter().map(number).map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_located_in_order() {
        let texts = ["äb", "cab", "x", "ab", "ab"].map(str::to_owned).to_vec();
        let places = located("äb cab ab", texts);
        let places: Vec<_> = places.iter().map(|one| (one.start, one.end)).collect();
        assert_eq!(places, [(0, 3), (4, 7), (5, 5), (5, 7), (8, 10)]);
        let nowhere = located("", vec!["a".to_owned()]);
        assert_eq!((nowhere[0].start, nowhere[0].end), (0, 0));
    }

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(numbers(vec![0.1, -0.25]), json!([0.1, -0.25]));
    }
}
