//! The client: one exchange after the other, as far as the redirects go.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    ClientBuilder, Method, StatusCode, Url,
    header::{self, HeaderMap},
    redirect,
};
use tokio::time::timeout;

use crate::{
    Error, Lookup, Request, Response, Result, Rule, SystemLookup, exchange,
    resolver::{Guard, Unresolved},
    url,
};

/// What a client may do.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is reachable although it is not public.
    pub allow: Vec<Rule>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// What the client calls itself where a request does not say.
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            user_agent: concat!("archesai/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// An HTTP client for URLs that users gave. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    rules: Arc<[Rule]>,
}

/// One request on its way through redirects.
struct Journey {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Client {
    /// A client that looks names up by the operating system.
    ///
    /// # Errors
    /// [`Error::Setup`] where the machine has no source of certificates or randomness.
    pub fn new(config: Config) -> Result<Self> {
        Self::with_lookup(config, SystemLookup)
    }

    /// As [`new`](Self::new), with another way to look names up. It is not trusted: what it
    /// finds is judged.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[expect(
        clippy::disallowed_methods,
        reason = "the one client that follows users' addresses"
    )]
    pub fn with_lookup(config: Config, lookup: impl Lookup) -> Result<Self> {
        let rules: Arc<[Rule]> = config.allow.into();
        let lookup: Arc<dyn Lookup> = Arc::new(lookup);
        let guard = Arc::new(Guard {
            lookup,
            rules: Arc::clone(&rules),
        });
        let tls = archesai_tls::http_client_config();
        let http = ClientBuilder::new()
            .tls_backend_preconfigured(tls.map_err(|error| Error::Setup(error.into()))?)
            .dns_resolver(Arc::clone(&guard))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            // Another crate of the build may have turned these on; a few bytes can unpack
            // to very many.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(config.connect_timeout)
            .user_agent(&config.user_agent)
            .build();
        Ok(Self {
            http: http.map_err(|error| Error::Setup(error.into()))?,
            rules,
        })
    }

    /// Sends a request, follows its redirects, and reads the answer.
    ///
    /// # Errors
    /// Every variant of [`Error`] but [`Error::Setup`]. An answer is none of them, whatever
    /// its status.
    pub async fn send(&self, request: Request) -> Result<Response> {
        let journey = Journey {
            method: exchange::method(&request.method)?,
            url: url::parse(&request.url, None)?,
            headers: exchange::headers(&request.headers)?,
            body: request.body,
        };
        let arrival = self.follow(journey, request.max_redirects, request.max_response_bytes);
        match timeout(request.timeout, arrival).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout {
                limit: request.timeout,
            }),
        }
    }

    async fn follow(&self, mut journey: Journey, redirects: u8, limit: usize) -> Result<Response> {
        let mut followed = 0;
        loop {
            let response = self.exchange(&journey).await?;
            let next = match location(&response) {
                Some(location) if redirects > 0 => location?,
                _ => return read(response, journey.url, limit).await,
            };
            if followed == redirects {
                return Err(Error::TooManyRedirects { limit: redirects });
            }
            followed += 1;
            let next = url::parse(&next, Some(&journey.url))?;
            journey = journey.redirected(response.status(), next);
        }
    }

    /// One request and the head of its answer.
    async fn exchange(&self, journey: &Journey) -> Result<reqwest::Response> {
        url::check(&journey.url, &self.rules)?;
        let mut request = self
            .http
            .request(journey.method.clone(), journey.url.clone())
            .headers(journey.headers.clone());
        if let Some(body) = &journey.body {
            request = request.body(body.clone());
        }
        let sent = request.send().await;
        sent.map_err(|error| failure(&journey.url, error))
    }
}

impl Journey {
    /// The request that a redirect asks for (RFC 9110, section 15.4).
    fn redirected(mut self, status: StatusCode, next: Url) -> Self {
        let see_other = status == StatusCode::SEE_OTHER && self.method != Method::HEAD;
        let moved = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND);
        if see_other || (moved && self.method == Method::POST) {
            self.method = Method::GET;
            self.body = None;
            for name in [
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
                header::CONTENT_LANGUAGE,
                header::CONTENT_LOCATION,
            ] {
                self.headers.remove(name);
            }
        }
        if !url::same_origin(&self.url, &next) {
            let kept = self
                .headers
                .iter()
                .filter(|(name, _)| url::is_harmless(name));
            self.headers = kept.map(|(n, v)| (n.clone(), v.clone())).collect();
        }
        self.url = next;
        self
    }
}

/// Where an answer says to go; nothing for one that is no redirect.
fn location(response: &reqwest::Response) -> Option<Result<String>> {
    let redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(header::LOCATION)?;
    redirect.then(|| {
        let text = std::str::from_utf8(location.as_bytes());
        text.map(ToOwned::to_owned)
            .map_err(|_| Error::url("a redirect goes to something that is not text"))
    })
}

/// Reads the answer to its end, if that is not too far.
async fn read(mut response: reqwest::Response, url: Url, limit: usize) -> Result<Response> {
    let announced = response.content_length().unwrap_or_default();
    if announced > limit as u64 {
        return Err(Error::TooLarge { limit });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| failure(&url, e))? {
        if chunk.len() > limit - body.len() {
            return Err(Error::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    let headers = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Response {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body,
        final_url: url.into(),
    })
}

/// What a failure of the HTTP library means.
fn failure(url: &Url, error: reqwest::Error) -> Error {
    let host = url.host_str().unwrap_or_default().to_owned();
    match Unresolved::within(&error) {
        Some(Unresolved::Refused(kind)) => return Error::Host { host, kind },
        Some(Unresolved::NoAddress) => return Error::NoAddress { host },
        None => {}
    }
    let (connecting, source) = (error.is_connect(), error.without_url().into());
    if connecting {
        Error::Connect { host, source }
    } else {
        Error::Broken { host, source }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
