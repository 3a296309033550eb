//! What tools need of other contexts, of providers and of the web, in the words of the tools.

use std::{error::Error as _, sync::Arc};

use anyhow::Context;
use archesai_ai::{CompletionRequest, OpenAi, OpenAiOptions};
use archesai_content::{
    Artifact, ArtifactId, Error, Hit, ModelInfo, NewArtifact, OrganizationId, Result,
    SearchRequest, Service, UserId,
    ports::{Embedder, Passage},
};
use archesai_egress::{Client, Request, Rule};
use archesai_tools::capabilities::{
    Artifacts, Completed, Completion, LanguageModel, Message, Role, Usage, Web, WebRequest,
    WebResponse,
};
use archesai_workflows::{Actor, ToolError};
use async_trait::async_trait;

use crate::{
    compose::ContentAdapters,
    config::{Config, Provider},
};

/// The artifacts of the content context, for tools. They act within the run's organization, and as its user.
pub(super) struct SharedArtifacts(pub(super) Arc<Service<ContentAdapters>>);

fn organization(actor: Actor) -> OrganizationId {
    OrganizationId(actor.organization_id.0)
}

fn user(actor: Actor) -> UserId {
    UserId(actor.user_id.0)
}

/// Writes into the log why an adapter failed: the log of the step does not say it.
fn logged<T>(result: Result<T>) -> Result<T> {
    if let Err(Error::Unavailable(cause)) = &result {
        tracing::warn!(
            error = &**cause as &dyn std::error::Error,
            "a tool cannot use artifacts"
        );
    }
    result
}

#[async_trait]
impl Artifacts for SharedArtifacts {
    async fn find(&self, actor: Actor, id: ArtifactId) -> Result<Artifact> {
        logged(self.0.artifact(organization(actor), id).await)
    }

    async fn bytes(&self, actor: Actor, id: ArtifactId, limit: u64) -> Result<Vec<u8>> {
        logged(self.0.read_content(organization(actor), id, limit).await)
    }

    async fn text(&self, actor: Actor, id: ArtifactId) -> Result<Option<String>> {
        logged(self.0.text(organization(actor), id).await)
    }

    async fn write(&self, actor: Actor, new: NewArtifact, bytes: Vec<u8>) -> Result<Artifact> {
        let created = self
            .0
            .create_artifact(organization(actor), Some(user(actor)), new, bytes);
        logged(created.await)
    }

    async fn search(&self, actor: Actor, request: SearchRequest) -> Result<Vec<Hit>> {
        logged(self.0.search(organization(actor), request).await)
    }

    fn model(&self) -> Option<ModelInfo> {
        self.0.embedder.model()
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        logged(self.0.embed(texts).await).map(|(_, vectors)| vectors)
    }

    async fn store_passages(
        &self,
        actor: Actor,
        id: ArtifactId,
        text: Option<String>,
        passages: Vec<Passage>,
    ) -> Result<()> {
        let (organization, actor) = (organization(actor), Some(user(actor)));
        let stored = self
            .0
            .store_passages(organization, actor, id, text, passages);
        logged(stored.await).map(drop)
    }
}

/// The configured language model, if there is one.
pub(super) fn language_model(config: &Config) -> anyhow::Result<Option<Arc<dyn LanguageModel>>> {
    let Provider {
        url,
        model,
        api_key,
    } = &config.llm;
    if url.is_empty() {
        return Ok(None);
    }
    let options = OpenAiOptions::new(url, api_key.clone());
    let client = OpenAi::new(options).context("llm_url or llm_api_key is not usable")?;
    Ok(Some(Arc::new(RemoteModel {
        client,
        usual: model.clone(),
    })))
}

/// A language model behind an API.
struct RemoteModel {
    client: OpenAi,
    /// The model where a step names none; may be empty.
    usual: String,
}

#[async_trait]
impl LanguageModel for RemoteModel {
    async fn complete(&self, request: Completion) -> Result<Completed, ToolError> {
        let model = request.model.unwrap_or_else(|| self.usual.clone());
        if model.is_empty() {
            let message = "the step names no model, and none is configured as llm_model";
            return Err(ToolError::permanent("no_language_model", message));
        }
        let request = CompletionRequest {
            model: model.clone(),
            messages: request.messages.into_iter().map(message).collect(),
            temperature: request.temperature,
            max_tokens: request.max_tokens,
        };
        let completion = self.client.complete(&request).await;
        let completion = completion.map_err(|error| provider_failed(&error))?;
        Ok(Completed {
            text: completion.text,
            model: completion.model.unwrap_or(model),
            finish_reason: completion.finish_reason,
            usage: completion.usage.map(|usage| Usage {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
            }),
        })
    }
}

fn message(message: Message) -> archesai_ai::Message {
    archesai_ai::Message {
        role: match message.role {
            Role::System => archesai_ai::Role::System,
            Role::User => archesai_ai::Role::User,
            Role::Assistant => archesai_ai::Role::Assistant,
        },
        content: message.content,
    }
}

fn provider_failed(error: &archesai_ai::Error) -> ToolError {
    use archesai_ai::Error;
    if let Some(cause) = error.source() {
        tracing::warn!(error = cause, "a language model: {error}");
    }
    let message = error.to_string();
    let transient = |code| ToolError {
        retry_after: error.retry_after(),
        ..ToolError::transient(code, message.clone())
    };
    match error {
        Error::Busy { status: 429, .. } => transient("provider_rate_limited"),
        Error::Busy { .. } => transient("provider_failed"),
        Error::Unreachable { .. } => transient("provider_unreachable"),
        Error::Malformed { .. } => transient("provider_answer_malformed"),
        _ => ToolError::permanent("provider_refused", message),
    }
}

/// The web as far as the configuration opens it.
pub(super) fn web(config: &Config) -> anyhow::Result<Arc<dyn Web>> {
    let rule = |text: &String| {
        let parsed = text.parse::<Rule>().map_err(anyhow::Error::msg);
        parsed.context("egress_allow is not usable")
    };
    let client = Client::new(archesai_egress::Config {
        allow: config
            .egress_allow
            .iter()
            .map(rule)
            .collect::<anyhow::Result<_>>()?,
        ..archesai_egress::Config::default()
    })?;
    Ok(Arc::new(PublicWeb(client)))
}

/// The web behind the egress filter.
struct PublicWeb(Client);

#[async_trait]
impl Web for PublicWeb {
    async fn send(&self, request: WebRequest) -> Result<WebResponse, ToolError> {
        let request = Request {
            method: request.method,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout,
            max_response_bytes: request.max_response_bytes,
            ..Request::get(request.url)
        };
        let response = self.0.send(request).await;
        let response = response.map_err(|error| web_failed(&error))?;
        Ok(WebResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
        })
    }
}

fn web_failed(error: &archesai_egress::Error) -> ToolError {
    use archesai_egress::Error;
    if let Some(cause) = error.source() {
        tracing::info!(error = cause, "a request of a pipeline: {error}");
    }
    let code = match error {
        Error::Url { .. } | Error::Method { .. } | Error::Header { .. } => "invalid_request",
        Error::Address { .. } | Error::Host { .. } => "address_refused",
        Error::NoAddress { .. } => "host_not_found",
        Error::Connect { .. } => "connection_failed",
        Error::Broken { .. } => "connection_broken",
        Error::Timeout { .. } => "answer_timed_out",
        Error::TooLarge { .. } => "answer_too_large",
        Error::TooManyRedirects { .. } => "too_many_redirects",
        _ => "request_failed",
    };
    if error.is_transient() {
        ToolError::transient(code, error.to_string())
    } else {
        ToolError::permanent(code, error.to_string())
    }
}

#[cfg(test)]
mod tests;
