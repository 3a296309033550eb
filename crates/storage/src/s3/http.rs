//! How requests reach the server: a connection that is silent is given up, one that is slow is
//! not, however long it takes.
//!
//! The limits of HTTP clients are for a whole request, which would cut off a large object on a slow line,
//! or for the answer alone, which is the same for an upload. Here what counts is how long nothing
//! went either way.

use std::{sync::Arc, time::Duration};

use archesai_tls::Trust;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpResponseBody, HttpService,
    },
};
use reqwest::{Body, Client, Request, StatusCode, Url, redirect::Policy};
use tokio::{sync::Notify, time::timeout};

use crate::{Error, Result};

/// How long a connection may take to make.
const CONNECT: Duration = Duration::from_secs(2);

/// How long nothing may go either way.
const IDLE: Duration = Duration::from_secs(3);

/// How many bytes of an upload are taken for the sign of life that they are.
const CHUNK: usize = 64 << 10;

/// How much of the list of parts, which completes an upload, buys it a millisecond more: there are
/// servers that copy all of them before they answer. It makes ten seconds for each GiB.
const LIST_PER_MILLISECOND: usize = 3;

/// Makes the client of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connector(Client);

impl Connector {
    /// With the certificates (PEM) to trust, in place of those this machine does.
    #[expect(
        clippy::disallowed_methods,
        reason = "the address is the operator's, not a user's"
    )]
    pub(crate) fn new(roots: Option<&str>) -> Result<Self> {
        let tls = archesai_tls::client_config(roots.map_or(Trust::Machine, Trust::Roots));
        let tls = tls.map_err(|error| Error::Settings(error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .no_proxy()
            // Another crate of the build may have turned these on, and sizes would be others.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .build();
        client
            .map(Self)
            .map_err(|error| Error::Settings(error.to_string()))
    }

    /// How a HEAD of an address is answered.
    pub(crate) async fn head(&self, url: Url) -> reqwest::Result<StatusCode> {
        let answer = self.0.head(url).timeout(IDLE).send().await;
        // It is one that was signed.
        answer.map_or_else(
            |error| Err(error.without_url()),
            |answer| Ok(answer.status()),
        )
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.clone())))
    }
}

/// Sends requests.
#[derive(Debug)]
struct Service(Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let patience = Patience::new(allowance(&request));
        let request = outgoing(request, &patience)?;
        let answer = tokio::select! {
            answer = self.0.execute(request) => answer.map_err(failure)?,
            () = patience.is_lost() => return Err(silence()),
        };
        Ok(incoming(answer))
    }
}

/// How long a request may be without a sign of life.
fn allowance(request: &HttpRequest) -> Duration {
    let list = match request.method().as_str() {
        "POST" => request.body().content_length(),
        _ => 0,
    };
    IDLE + Duration::from_millis((list / LIST_PER_MILLISECOND) as u64)
}

/// How long a sign of life is waited for.
#[derive(Clone, Debug)]
struct Patience {
    each: Duration,
    sign: Arc<Notify>,
}

impl Patience {
    fn new(each: Duration) -> Self {
        let sign = Arc::default();
        Self { each, sign }
    }

    /// There was one.
    fn renew(&self) {
        self.sign.notify_one();
    }

    /// Waits until none came for too long.
    async fn is_lost(&self) {
        while timeout(self.each, self.sign.notified()).await.is_ok() {}
    }
}

/// The request for the client, which renews the patience whenever some of its body is on its way.
fn outgoing(request: HttpRequest, patience: &Patience) -> std::result::Result<Request, HttpError> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string());
    let url = url.map_err(|error| HttpError::new_boxed(HttpErrorKind::Unknown, error.into()))?;
    let mut request = Request::new(parts.method, url);
    *request.headers_mut() = parts.headers;
    // Its length stands in the headers.
    *request.body_mut() = match body.as_bytes() {
        Some(bytes) => Some(bytes.clone().into()),
        None => Some(in_chunks(body, patience.clone())),
    };
    Ok(request)
}

fn in_chunks(body: HttpRequestBody, patience: Patience) -> Body {
    let chunks = body.into_data_stream().flat_map(|data| {
        stream::iter(match data {
            Ok(bytes) => split(bytes).map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    Body::wrap_stream(chunks.inspect(move |_| patience.renew()))
}

fn split(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let some = bytes.split_to(bytes.len().min(CHUNK));
        (!some.is_empty()).then_some(some)
    })
}

/// The answer for the store, which ends with an error when nothing more of it comes.
fn incoming(answer: reqwest::Response) -> HttpResponse {
    let status = answer.status();
    let headers = answer.headers().clone();
    let frames = stream::unfold(Some(Body::from(answer)), |body| async {
        let mut body = body?;
        match timeout(IDLE, body.frame()).await {
            Ok(frame) => match frame? {
                Ok(frame) => Some((Ok(frame), Some(body))),
                Err(error) => Some((Err(failure(error)), None)),
            },
            Err(_) => Some((Err(silence()), None)),
        }
    });
    let mut answer = HttpResponse::new(HttpResponseBody::new(StreamBody::new(frames.fuse())));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// What failed, in terms of whether it can be tried again.
fn failure(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_builder() || error.is_decode() {
        HttpErrorKind::Unknown
    } else {
        HttpErrorKind::Interrupted
    };
    // It may be an address that was signed.
    HttpError::new(kind, error.without_url())
}

fn silence() -> HttpError {
    let text = format!("nothing went either way for {} seconds", IDLE.as_secs());
    let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
    HttpError::new(HttpErrorKind::Timeout, error)
}
