//! `http.request`: something asked of the web.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use archesai_workflows::{Clock, Outcome, StepRunId, ToolError};
use async_trait::async_trait;
use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    capabilities::{Parts, Web, WebRequest, WebResponse},
    shapes,
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// The longest body of an answer in bytes, so that it fits into the output of a step.
const MAX_BODY: usize = 3 << 20;

/// The longest time in seconds.
const LONGEST: u64 = 300;

/// Sends HTTP requests.
pub(super) struct HttpRequest {
    web: Arc<dyn Web>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default = "usual_method")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    #[serde(default = "usual_time")]
    timeout_seconds: u64,
}

fn usual_method() -> String {
    "GET".to_owned()
}

const fn usual_time() -> u64 {
    30
}

impl HttpRequest {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            web: Arc::clone(&parts.web),
            clock: Arc::clone(&parts.clock),
        }
    }
}

#[async_trait]
impl Tool for HttpRequest {
    fn spec(&self) -> Spec {
        Spec {
            name: "http.request",
            description: "Sends an HTTP request to a public address. An answer is an output whatever its status; a request that \
                          did not come to its answer is tried again as the step says.",
            input: input(),
            output: output(),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let request = request(call.read()?, call.step_run_id);
        let asked = format!("{} {}", request.method, without_query(&request.url));
        let begun = self.clock.now();
        let response = self.web.send(request).await?;
        let (status, size) = (response.status, counted(response.body.len(), "byte"));
        let time = self
            .clock
            .now()
            .duration_since(begun)
            .unwrap_or_default()
            .as_millis();
        call.tell(&format!(
            "{asked} answered {status} with {size} after {time} ms"
        ));
        done(answer(&response))
    }
}

/// The request that the input describes.
fn request(input: Input, step_run: StepRunId) -> WebRequest {
    let mut headers: Vec<_> = input.headers.into_iter().collect();
    let (body, media_type) = match input.body {
        Value::Null => (None, None),
        Value::String(text) => (Some(text.into_bytes()), Some("text/plain; charset=utf-8")),
        value => (
            Some(value.to_string().into_bytes()),
            Some("application/json"),
        ),
    };
    let mut unless_given = |name: &str, value: String| {
        if !headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
        {
            headers.push((name.to_owned(), value));
        }
    };
    if let Some(media_type) = media_type {
        unless_given("content-type", media_type.to_owned());
    }
    if !matches!(input.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        // The same at every attempt, so that the other side can tell a repetition (draft-ietf-httpapi-idempotency-key-header).
        unless_given("idempotency-key", step_run.to_string());
    }
    WebRequest {
        method: input.method,
        url: input.url,
        headers,
        body,
        timeout: Duration::from_secs(input.timeout_seconds),
        max_response_bytes: MAX_BODY,
    }
}

fn answer(response: &WebResponse) -> Value {
    let mut headers = BTreeMap::<&str, String>::new();
    for (name, value) in &response.headers {
        headers
            .entry(name)
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    let media_type = headers.get("content-type").map_or("", String::as_str);
    let mut output = Map::new();
    if is_json(media_type)
        && let Ok(value) = serde_json::from_slice::<Value>(&response.body)
    {
        output.insert("json".to_owned(), value);
    }
    output.insert(
        "body".to_owned(),
        Value::from(text(media_type, &response.body)),
    );
    output.insert("headers".to_owned(), json!(headers));
    output.insert("status".to_owned(), Value::from(response.status));
    Value::Object(output)
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The body in the charset that the media type names, or UTF-8; what cannot be read becomes U+FFFD.
fn text(media_type: &str, body: &[u8]) -> String {
    let charset = media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    let charset = charset.map_or("", |charset| charset.trim().trim_matches('"'));
    let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

/// A URL as far as it may be told: what is asked for may be secret.
fn without_query(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    match url.char_indices().nth(200) {
        Some((cut, _)) => &url[..end.min(cut)],
        None => &url[..end],
    }
}

fn input() -> Value {
    let properties = json!({
        "method": {
            "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "default": "GET",
            "description": "The method.",
        },
        "url": {"type": "string", "minLength": 1, "maxLength": 8000, "description": "The URL: http or https, at a public address."},
        "headers": {
            "type": "object", "maxProperties": 100, "additionalProperties": {"type": "string"},
            "description": "The headers by name. Unless it is given, a method that changes something is sent with an Idempotency-Key that is the same at every attempt.",
        },
        "body": {"description": "The body: a text as it is, any other value as JSON."},
        "timeout_seconds": {
            "type": "integer", "minimum": 1, "maximum": LONGEST, "default": usual_time(),
            "description": "How long it may take to the last byte of the answer.",
        },
    });
    shapes::object(properties, &["url"])
}

fn output() -> Value {
    let properties = json!({
        "status": {"type": "integer", "description": "The status of the answer."},
        "headers": {
            "type": "object", "additionalProperties": {"type": "string"},
            "description": "The headers by name in lower case; one that comes several times is joined by commas.",
        },
        "body": shapes::text("The body as text."),
        "json": {"description": "The body as a value, where it is JSON."},
    });
    shapes::object(properties, &["status", "headers", "body"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_heeded() {
        assert_eq!(
            text("text/plain; Charset=\"ISO-8859-1\"", b"gr\xfc\xdfe"),
            "grüße"
        );
        assert_eq!(
            text("text/plain; charset=no-such", "grüße".as_bytes()),
            "grüße"
        );
        assert_eq!(text("", b"\xff"), "\u{fffd}");
    }

    #[test]
    fn secrets_in_queries_are_not_told() {
        assert_eq!(
            without_query("https://a.example/x?key=1#y"),
            "https://a.example/x"
        );
        assert_eq!(
            without_query(&format!("https://{}", "ä".repeat(300)))
                .chars()
                .count(),
            200
        );
    }
}
