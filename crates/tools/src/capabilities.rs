//! What tools need of the world outside. The composition of the server fills these; none of them names a context, a
//! provider or a library that does it.

use std::{fmt, sync::Arc, time::Duration};

use archesai_content::{
    Artifact, ArtifactId, Hit, ModelInfo, NewArtifact, Result, SearchRequest, ports::Passage,
};
use archesai_workflows::{Actor, Clock, ToolError};
use async_trait::async_trait;

use crate::extractor::Extractor;

/// What the tools work with.
pub struct Parts {
    /// The artifacts of organizations.
    pub artifacts: Arc<dyn Artifacts>,
    /// A language model, if one is configured.
    pub language_model: Option<Arc<dyn LanguageModel>>,
    /// The web.
    pub web: Arc<dyn Web>,
    /// Reads documents.
    pub extractor: Extractor,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The artifacts of the actor's organization. One of another organization does not exist.
#[async_trait]
pub trait Artifacts: Send + Sync + 'static {
    /// What is known about an artifact.
    ///
    /// # Errors
    ///
    /// [`NotFound`](archesai_content::Error::NotFound)
    async fn find(&self, actor: Actor, id: ArtifactId) -> Result<Artifact>;

    /// All bytes of an artifact, if they are no more than `limit`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](archesai_content::Error::NotFound), [`TooLarge`](archesai_content::Error::TooLarge)
    async fn bytes(&self, actor: Actor, id: ArtifactId, limit: u64) -> Result<Vec<u8>>;

    /// The text that was extracted from an artifact when it was indexed; `None` until then.
    ///
    /// # Errors
    ///
    /// [`NotFound`](archesai_content::Error::NotFound)
    async fn text(&self, actor: Actor, id: ArtifactId) -> Result<Option<String>>;

    /// Stores an artifact. Where `new.id` says which it is to be and it is there already, that one is the answer.
    ///
    /// # Errors
    ///
    /// [`Invalid`](archesai_content::Error::Invalid), [`TooLarge`](archesai_content::Error::TooLarge)
    async fn write(&self, actor: Actor, new: NewArtifact, bytes: Vec<u8>) -> Result<Artifact>;

    /// Finds passages, the best first.
    ///
    /// # Errors
    ///
    /// [`Invalid`](archesai_content::Error::Invalid), [`NoModel`](archesai_content::Error::NoModel)
    async fn search(&self, actor: Actor, request: SearchRequest) -> Result<Vec<Hit>>;

    /// The embedding model in use, if there is one.
    fn model(&self) -> Option<ModelInfo>;

    /// Turns texts into vectors of unit length, in order.
    ///
    /// # Errors
    ///
    /// [`NoModel`](archesai_content::Error::NoModel)
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>>;

    /// Embeds passages and makes them what a search finds of an artifact, in place of those it has. The text is the one
    /// they are from, as far as it is known, and is kept too.
    ///
    /// # Errors
    ///
    /// [`NotFound`](archesai_content::Error::NotFound), [`NoModel`](archesai_content::Error::NoModel),
    /// [`Invalid`](archesai_content::Error::Invalid)
    async fn store_passages(
        &self,
        actor: Actor,
        id: ArtifactId,
        text: Option<String>,
        passages: Vec<Passage>,
    ) -> Result<()>;
}

/// A model that answers in words.
#[async_trait]
pub trait LanguageModel: Send + Sync + 'static {
    /// Goes on with a conversation.
    ///
    /// # Errors
    ///
    /// What the provider says against it, in words that may be shown, and whether it may pass.
    async fn complete(&self, request: Completion) -> Result<Completed, ToolError>;
}

/// What a language model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The name the provider knows the model by; the configured one where it is not said.
    pub model: Option<String>,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// How many tokens the answer may have.
    pub max_tokens: Option<u32>,
    /// How much chance there is in the answer.
    pub temperature: Option<f64>,
}

/// A contribution to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose it is.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Who takes part in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever sets the rules of it.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// What a language model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The answer.
    pub text: String,
    /// The model that gave it.
    pub model: String,
    /// Why it ended: `stop` where it is complete, `length` where it met a limit.
    pub finish_reason: Option<String>,
    /// What it took, where the provider says so.
    pub usage: Option<Usage>,
}

/// How many tokens were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Those of the conversation.
    pub input_tokens: u64,
    /// Those of the answer.
    pub output_tokens: u64,
}

/// The web, as far as pipelines may reach it.
#[async_trait]
pub trait Web: Send + Sync + 'static {
    /// Sends a request and reads the whole answer, which is no error whatever its status.
    ///
    /// # Errors
    ///
    /// A permanent one if the request is not one, or may not be sent there; a transient one if it did not come to its answer.
    async fn send(&self, request: WebRequest) -> Result<WebResponse, ToolError>;
}

/// What is asked of the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// The method (RFC 9110, section 9), in upper case.
    pub method: String,
    /// The URL as it was given.
    pub url: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<Vec<u8>>,
    /// How long it may take to the last byte of the answer.
    pub timeout: Duration,
    /// How long the body of the answer may be, in bytes.
    pub max_response_bytes: usize,
}

/// What the web answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebResponse {
    /// The status (RFC 9110, section 15).
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}
