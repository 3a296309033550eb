//! Embedding and language models, local and remote.
//!
//! [`Embeddings`] is what the composition root chose to turn texts into vectors: a model that
//! runs in this process ([`LocalModel`]), or one behind an API of the shape
//! that `OpenAI` gave it ([`OpenAi`]). It implements the embedder port of the content
//! context. [`OpenAi::complete`] asks a language model of the same shape.
//!
//! The addresses here are the operator's, never a user's, so that requests go
//! out without the egress filter; they use no proxy and follow no redirect.

mod embeddings;
mod error;
mod local;
mod openai;

pub use embeddings::Embeddings;
pub use error::{Error, Result};
pub use local::{LocalModel, LocalOptions};
pub use openai::{
    Completion, CompletionRequest, EmbeddingModel, EmbeddingOptions, Message, OpenAi,
    OpenAiOptions, Retry, Role, Usage,
};
