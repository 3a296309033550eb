//! Models behind an HTTP API of the shape that `OpenAI` gave it, which most providers and
//! local servers understand.

mod chat;
mod embeddings;
mod transport;

pub use chat::{Completion, CompletionRequest, Message, Role, Usage};
pub use embeddings::{EmbeddingModel, EmbeddingOptions};
pub use transport::{OpenAi, OpenAiOptions, Retry};
