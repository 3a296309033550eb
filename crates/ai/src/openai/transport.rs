//! Requests to a provider and their repetition.

use std::{error, fmt, sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, Response, StatusCode, Url, header, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{sleep, timeout};

use crate::{Error, Result};

/// The most that is read of the description of an error, in bytes.
const MAX_ERROR: usize = 64 << 10;

/// How to reach a provider.
#[derive(Clone)]
pub struct OpenAiOptions {
    /// The address that `/embeddings` and `/chat/completions` are appended to, for
    /// example `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key that is sent as a bearer token (RFC 6750), where the provider wants one.
    pub api_key: Option<String>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long all attempts may take together.
    pub deadline: Duration,
    /// When to try again.
    pub retry: Retry,
    /// The longest answer that is read, in bytes.
    pub max_response_bytes: usize,
}

impl OpenAiOptions {
    /// The usual options for an address.
    pub fn new(base_url: impl Into<String>, api_key: Option<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(2),
            retry: Retry::default(),
            max_response_bytes: 32 << 20,
        }
    }
}

impl fmt::Debug for OpenAiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiOptions")
            .field("base_url", &self.base_url)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// When to try again what a provider was too busy for.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// How many attempts there are, the first one included.
    pub attempts: u32,
    /// How long to wait after the first; twice as long after each further one.
    pub initial: Duration,
    /// The longest wait. Where the provider asks for more, there is no further attempt: whoever
    /// asked learns how long it is and may come back.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            initial: Duration::from_millis(250),
            max: Duration::from_secs(10),
        }
    }
}

impl Retry {
    /// How long to wait after the attempt of a number, from 0, that failed; nothing where
    /// there should be no further one.
    fn wait(&self, attempt: u32, error: &Error) -> Option<Duration> {
        let asked = match error {
            Error::Busy { retry_after, .. } => retry_after.unwrap_or_default(),
            Error::Unreachable { .. } => Duration::ZERO,
            _ => return None,
        };
        let own = self.initial.saturating_mul(2_u32.saturating_pow(attempt));
        let again = attempt + 1 < self.attempts && asked <= self.max;
        again.then(|| own.min(self.max).max(asked))
    }
}

/// A provider. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct OpenAi {
    client: Client,
    base: Url,
    options: Arc<OpenAiOptions>,
}

impl OpenAi {
    /// A client for a provider. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Options`] where the address is none, or the key cannot be sent in a header.
    pub fn new(options: OpenAiOptions) -> Result<Self> {
        let misconfigured = |reason: String| Error::Options { reason };
        let base = Url::parse(&options.base_url);
        let base = base.map_err(|error| misconfigured(format!("its address: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(misconfigured("its address is not http or https".to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            let reason = "its address has credentials in it; give the key apart";
            return Err(misconfigured(reason.to_owned()));
        }
        if let Some(key) = &options.api_key
            && bearer(key).is_none()
        {
            let reason = "its key has characters that no key has".to_owned();
            return Err(misconfigured(reason));
        }
        let client = http_client(options.connect_timeout);
        Ok(Self {
            client: client.map_err(|error| misconfigured(error.to_string()))?,
            base,
            options: Arc::new(options),
        })
    }

    /// Sends a request, and again where that may help, and reads the answer.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &'static str,
        request: &impl Serialize,
    ) -> Result<T> {
        let body = serde_json::to_vec(request).map_err(|error| Error::Failed(error.into()))?;
        let url = self.url(path);
        let attempts = async {
            let mut attempt = 0;
            loop {
                let error = match self.attempt(url.clone(), body.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                match self.options.retry.wait(attempt, &error) {
                    Some(wait) => sleep(wait).await,
                    None => return Err(error),
                }
                attempt += 1;
            }
        };
        let answer = timeout(self.options.deadline, attempts).await;
        let answer = answer.map_err(|_| too_slow())??;
        serde_json::from_slice(&answer).map_err(|error| {
            // Its own text may quote the answer; where it is wrong will do.
            let (line, column) = (error.line(), error.column());
            Error::malformed(format!("at line {line}, column {column}"))
        })
    }

    /// Sends a request once; answers the body of a success.
    async fn attempt(&self, url: Url, body: Vec<u8>) -> Result<Vec<u8>> {
        let mut request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(bearer) = self.options.api_key.as_deref().and_then(bearer) {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let exchange = async {
            let response = request.send().await.map_err(unreachable)?;
            if response.status().is_success() {
                return read(response, self.options.max_response_bytes).await;
            }
            Err(refusal(response).await)
        };
        let answer = timeout(self.options.timeout, exchange).await;
        answer.map_err(|_| too_slow())?
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenAi").field(&self.options).finish()
    }
}

/// The header for a key, marked so that it is not logged.
fn bearer(key: &str) -> Option<header::HeaderValue> {
    let mut value = header::HeaderValue::try_from(format!("Bearer {key}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Reads a body, if it is not too long.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > limit {
            return Err(Error::malformed(format!("it is longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer that is no success means.
///
/// The provider's words stay out of it: they may quote the request or parts of the key. Its
/// code is a word of a known vocabulary.
async fn refusal(response: Response) -> Error {
    #[derive(Deserialize)]
    struct Body {
        error: Details,
    }

    #[derive(Deserialize)]
    struct Details {
        code: Option<serde_json::Value>,
        r#type: Option<serde_json::Value>,
    }

    let status = response.status();
    // Seconds. Of the other form, a date (RFC 9110, section 10.2.3), no provider makes use.
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = read(response, MAX_ERROR).await.unwrap_or_default();
    let details = serde_json::from_slice::<Body>(&body).ok();
    let code = details.and_then(|body| {
        let word = |value: Option<serde_json::Value>| value?.as_str().and_then(word);
        word(body.error.code).or_else(|| word(body.error.r#type))
    });
    let busy = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    // No wait brings back a quota that is used up.
    if busy && code.as_deref() != Some("insufficient_quota") {
        return Error::Busy {
            status: status.as_u16(),
            retry_after,
        };
    }
    Error::Refused {
        status: status.as_u16(),
        code,
    }
}

/// A code, if it looks like one.
fn word(code: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_word = !code.is_empty() && code.len() <= 64 && code.bytes().all(plain);
    is_word.then(|| code.to_owned())
}

fn unreachable(error: reqwest::Error) -> Error {
    let reason = if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off the exchange"
    };
    Error::Unreachable {
        reason,
        source: Some(error.without_url().into()),
    }
}

fn too_slow() -> Error {
    Error::Unreachable {
        reason: "did not answer in time",
        source: None,
    }
}

/// A client that goes where it is told and nowhere else: no proxy, no redirect.
#[expect(
    clippy::disallowed_methods,
    reason = "goes where the configuration says, not a user"
)]
fn http_client(connect_timeout: Duration) -> std::result::Result<Client, Box<dyn error::Error>> {
    let client = ClientBuilder::new()
        .tls_backend_preconfigured(archesai_tls::http_client_config()?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .user_agent(concat!("archesai/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(client?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_no_longer_than_the_bound() {
        let retry = Retry {
            attempts: 4,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(3),
        };
        let busy = |seconds: Option<u64>| Error::Busy {
            status: 429,
            retry_after: seconds.map(Duration::from_secs),
        };
        let seconds = |attempt, error| retry.wait(attempt, &error).map(|wait| wait.as_secs());
        assert_eq!(seconds(0, busy(None)), Some(1));
        assert_eq!(seconds(1, busy(None)), Some(2));
        assert_eq!(seconds(2, busy(None)), Some(3));
        assert_eq!(seconds(3, busy(None)), None, "that was the last");
        assert_eq!(seconds(0, busy(Some(2))), Some(2), "as was asked");
        assert_eq!(seconds(0, busy(Some(4))), None, "too long to wait here");
        assert_eq!(seconds(0, too_slow()), Some(1));
        assert_eq!(seconds(0, Error::malformed("x")), None);
    }

    #[test]
    fn a_code_is_a_word() {
        assert_eq!(word("model_not_found").as_deref(), Some("model_not_found"));
        for code in ["", "Incorrect key sk-1", "sk-123", &"a".repeat(65)] {
            assert_eq!(word(code), None, "{code}");
        }
    }

    #[test]
    fn the_path_goes_after_the_base() {
        for base in ["https://a.example/v1", "https://a.example/v1/"] {
            let client = OpenAi::new(OpenAiOptions::new(base, None)).expect("a client");
            assert_eq!(client.url("x/y").as_str(), "https://a.example/v1/x/y");
        }
    }

    #[test]
    fn options_that_cannot_work_are_refused() {
        for (base, key) in [
            ("api.example", None),
            ("ftp://a.example", None),
            ("https://u:p@a.example", None),
            ("https://a.example", Some("a\nb".to_owned())),
        ] {
            let client = OpenAi::new(OpenAiOptions::new(base, key));
            assert!(matches!(client, Err(Error::Options { .. })), "{base}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let options = OpenAiOptions::new("https://a.example", Some("sk-secret".to_owned()));
        assert!(!format!("{options:?}").contains("secret"));
        let client = OpenAi::new(options).expect("a client");
        assert!(!format!("{client:?}").contains("secret"));
    }
}
