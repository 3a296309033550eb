//! `POST /embeddings`.

use std::num::NonZero;

use archesai_content::ModelInfo;
use serde::{Deserialize, Serialize};

use super::OpenAi;
use crate::{Error, Result};

/// Which model of a provider turns texts into vectors.
#[derive(Clone, Debug)]
pub struct EmbeddingOptions {
    /// The name the provider knows it by.
    pub model: String,
    /// The length of its vectors. An answer of another length is an error: the vectors would
    /// not fit to those that are stored.
    pub dimensions: u32,
    /// Whether to ask for vectors of that length. Not every model can shorten them.
    pub shorten: bool,
    /// The most texts of one request.
    pub batch: NonZero<usize>,
}

/// A model behind an API that turns texts into vectors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EmbeddingModel {
    provider: OpenAi,
    info: ModelInfo,
    shorten: bool,
    batch: usize,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Response {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl EmbeddingModel {
    /// A model of a provider. Nothing is sent yet.
    pub fn new(provider: OpenAi, options: EmbeddingOptions) -> Self {
        Self {
            provider,
            info: ModelInfo {
                name: options.model,
                dimensions: options.dimensions,
            },
            shorten: options.shorten,
            batch: options.batch.get(),
        }
    }

    /// What the model is called, and how long its vectors are.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Turns each text into a vector, in order.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Busy`], [`Error::Unreachable`], [`Error::Malformed`].
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(texts.len());
        for input in texts.chunks(self.batch) {
            let request = Request {
                model: &self.info.name,
                input,
                dimensions: self.shorten.then_some(self.info.dimensions),
            };
            let response: Response = self.provider.post("embeddings", &request).await?;
            vectors.extend(self.checked(response, input.len())?);
        }
        Ok(vectors)
    }

    /// The vectors in the order of the texts: one for each, of the right length, of numbers.
    fn checked(&self, response: Response, count: usize) -> Result<Vec<Vec<f32>>> {
        let mut vectors = vec![None; count];
        for (place, item) in response.data.into_iter().enumerate() {
            let length = item.embedding.len();
            if u32::try_from(length) != Ok(self.info.dimensions) {
                let expected = self.info.dimensions;
                let reason = format!("a vector has {length} numbers rather than {expected}");
                return Err(Error::malformed(reason));
            }
            if !item.embedding.iter().all(|number| number.is_finite()) {
                return Err(Error::malformed("a vector has an infinite number"));
            }
            let slot = vectors.get_mut(item.index.unwrap_or(place));
            let slot = slot.ok_or_else(|| Error::malformed("it has more vectors than texts"))?;
            *slot = Some(item.embedding);
        }
        let all: Option<Vec<_>> = vectors.into_iter().collect();
        all.ok_or_else(|| Error::malformed("it has fewer vectors than texts"))
    }
}
