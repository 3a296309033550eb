//! `llm.complete`: an answer of a language model.

use std::sync::Arc;

use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    capabilities::{Completed, Completion, LanguageModel, Message, Parts, Role},
    shapes,
    tool::{Call, Spec, Tool, done},
    wording::{counted, grouped},
};

/// Asks a language model.
pub(super) struct LlmComplete {
    language_model: Option<Arc<dyn LanguageModel>>,
}

#[derive(Deserialize)]
struct Input {
    prompt: Option<String>,
    messages: Option<Vec<Said>>,
    system: Option<String>,
    model: Option<String>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
}

#[derive(Deserialize)]
struct Said {
    role: Speaker,
    content: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    System,
    User,
    Assistant,
}

impl From<Said> for Message {
    fn from(said: Said) -> Self {
        Self {
            role: match said.role {
                Speaker::System => Role::System,
                Speaker::User => Role::User,
                Speaker::Assistant => Role::Assistant,
            },
            content: said.content,
        }
    }
}

impl From<Input> for Completion {
    fn from(input: Input) -> Self {
        let message = |role| move |content| Message { role, content };
        let system = input.system.map(message(Role::System));
        let said = input
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(Message::from);
        let prompt = input.prompt.map(message(Role::User));
        Self {
            model: input.model,
            messages: system.into_iter().chain(said).chain(prompt).collect(),
            max_tokens: input.max_tokens,
            temperature: input.temperature,
        }
    }
}

impl LlmComplete {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            language_model: parts.language_model.clone(),
        }
    }
}

#[async_trait]
impl Tool for LlmComplete {
    fn spec(&self) -> Spec {
        Spec {
            name: "llm.complete",
            description: "Asks a language model, and waits for all of its answer.",
            input: input(),
            output: output(),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let input: Input = call.read()?;
        let model = self.language_model.as_ref().ok_or_else(|| {
            let message = "no language model is configured; an operator sets llm_url and llm_model";
            ToolError::permanent("no_language_model", message)
        })?;
        let completed = model.complete(input.into()).await?;
        call.tell(&told(&completed));
        let usage = completed.usage.map(|usage| {
            json!({"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens})
        });
        done(json!({
            "text": completed.text,
            "model": completed.model,
            "finish_reason": completed.finish_reason,
            "usage": usage,
        }))
    }
}

fn told(completed: &Completed) -> String {
    let chars = counted(completed.text.chars().count(), "character");
    let tokens = completed.usage.map_or_else(String::new, |usage| {
        let number = |tokens| grouped(usize::try_from(tokens).unwrap_or(usize::MAX));
        let (read, written) = (number(usage.input_tokens), number(usage.output_tokens));
        format!("; it read {read} tokens and wrote {written}")
    });
    format!("{} answered {chars}{tokens}", completed.model)
}

fn input() -> Value {
    let message = json!({
        "role": {"enum": ["system", "user", "assistant"], "description": "Whose it is."},
        "content": shapes::text("What was said."),
    });
    let message = shapes::members(message, &["role", "content"]);
    let properties = json!({
        "prompt": {"type": "string", "minLength": 1, "description": "The question."},
        "messages": {
            "type": "array", "items": message, "minItems": 1, "maxItems": 1000,
            "description": "In place of a prompt: the conversation so far.",
        },
        "system": shapes::text("The rules for the answer."),
        "model": {
            "type": "string", "minLength": 1,
            "description": "The name the provider knows the model by; by default the configured one.",
        },
        "max_tokens": {
            "type": "integer", "minimum": 1, "maximum": 1_000_000,
            "description": "How many tokens the answer may have.",
        },
        "temperature": {
            "type": "number", "minimum": 0, "maximum": 2,
            "description": "How much chance there is in the answer.",
        },
    });
    shapes::either(shapes::object(properties, &[]), "prompt", "messages")
}

fn output() -> Value {
    let usage = json!({
        "input_tokens": shapes::count("Those of the conversation."),
        "output_tokens": shapes::count("Those of the answer."),
    });
    let mut usage = shapes::members(usage, &["input_tokens", "output_tokens"]);
    usage["type"] = json!(["object", "null"]);
    usage["description"] = json!("How many tokens it took; null where the provider does not say.");
    let properties = json!({
        "text": shapes::text("The answer."),
        "model": shapes::text("The model that gave it."),
        "finish_reason": {
            "type": ["string", "null"],
            "description": "Why it ended: `stop` where it is complete, `length` where it met a limit.",
        },
        "usage": usage,
    });
    shapes::object(properties, &["text", "model", "finish_reason", "usage"])
}
