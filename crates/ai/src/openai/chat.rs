//! `POST /chat/completions`.

use serde::{Deserialize, Serialize};

use super::OpenAi;
use crate::{Error, Result};

/// What a language model is asked.
#[derive(Clone, Debug, Serialize)]
pub struct CompletionRequest {
    /// The name the provider knows the model by.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// How much chance there is in the answer; the provider's own measure where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How many tokens the answer may have; the provider's own limit where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

/// A contribution to a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Whose it is.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Who takes part in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
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
pub struct Completion {
    /// The answer.
    pub text: String,
    /// The model that gave it, as the provider calls it.
    pub model: Option<String>,
    /// Why it ended: `stop` where it is complete, `length` where it met a limit.
    pub finish_reason: Option<String>,
    /// What it took, where the provider says so.
    pub usage: Option<Usage>,
}

/// How many tokens were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Those of the conversation.
    #[serde(rename = "prompt_tokens", default)]
    pub input_tokens: u64,
    /// Those of the answer.
    #[serde(rename = "completion_tokens", default)]
    pub output_tokens: u64,
}

#[derive(Deserialize)]
struct Response {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    content: Option<String>,
    refusal: Option<String>,
}

impl OpenAi {
    /// Asks a language model to go on with a conversation, and waits for all of its answer.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Busy`], [`Error::Unreachable`], [`Error::Malformed`].
    pub async fn complete(&self, request: &CompletionRequest) -> Result<Completion> {
        let response: Response = self.post("chat/completions", request).await?;
        let choice = response.choices.into_iter().next();
        let choice = choice.ok_or_else(|| Error::malformed("it has no choice"))?;
        let text = choice.message.content.or(choice.message.refusal);
        Ok(Completion {
            text: text.ok_or_else(|| Error::malformed("it has no text"))?,
            model: response.model,
            finish_reason: choice.finish_reason,
            usage: response.usage,
        })
    }
}
