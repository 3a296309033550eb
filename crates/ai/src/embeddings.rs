//! The embedding model that was chosen.

use archesai_content::{self as content, ModelInfo, ports::Embedder};

use crate::{EmbeddingModel, LocalModel, Result};

/// The embedding model in use. Cheap to clone; clones share the model.
#[derive(Clone, Debug)]
pub enum Embeddings {
    /// There is none: nothing is embedded, and a search finds words only.
    None,
    /// A model in this process.
    Local(LocalModel),
    /// A model behind an API.
    OpenAi(EmbeddingModel),
}

impl Embeddings {
    async fn vectors(&self, texts: Vec<String>) -> Option<Result<Vec<Vec<f32>>>> {
        match self {
            Self::None => None,
            Self::Local(model) => Some(model.embed(texts).await),
            Self::OpenAi(model) => Some(model.embed(texts).await),
        }
    }
}

impl Embedder for Embeddings {
    fn model(&self) -> Option<ModelInfo> {
        match self {
            Self::None => None,
            Self::Local(model) => Some(model.info().clone()),
            Self::OpenAi(model) => Some(model.info().clone()),
        }
    }

    async fn embed(&self, texts: Vec<String>) -> content::Result<Vec<Vec<f32>>> {
        let vectors = self.vectors(texts).await;
        Ok(vectors.ok_or(content::Error::NoModel)??)
    }
}
