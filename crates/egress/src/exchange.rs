//! What is asked and what is answered.

use std::time::Duration;

use reqwest::{
    Method,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

use crate::{Error, Result};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method (RFC 9110, section 9), in upper case.
    pub method: String,
    /// The URL as it was given.
    pub url: String,
    /// The headers in order. One may come more than once.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<Vec<u8>>,
    /// How long it may take to the last byte of the answer, with all redirects.
    pub timeout: Duration,
    /// How long the body of the answer may be, in bytes.
    pub max_response_bytes: usize,
    /// How many redirects are followed. With none, a redirect is the answer.
    pub max_redirects: u8,
}

impl Request {
    /// A request for a URL with the usual limits: 30 seconds, 10 MiB, 5 redirects.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(30),
            max_response_bytes: 10 << 20,
            max_redirects: 5,
        }
    }
}

/// What is answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status (RFC 9110, section 15).
    pub status: u16,
    /// The headers in order, names in lower case. What is not UTF-8 is replaced by U+FFFD.
    pub headers: Vec<(String, String)>,
    /// The body as it came: a content coding is still on it.
    pub body: Vec<u8>,
    /// Where it came from, after redirects.
    pub final_url: String,
}

/// The method of a request.
pub(crate) fn method(text: &str) -> Result<Method> {
    let refused = || Error::Method {
        method: text.to_owned(),
    };
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| refused())?;
    // One is for proxies, the other echoes what should stay secret.
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(refused());
    }
    Ok(method)
}

/// The headers of a request, without those that are the connection's own business.
pub(crate) fn headers(given: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let refused = |reason| Error::Header {
            name: name.clone(),
            reason,
        };
        let parsed = HeaderName::try_from(name).map_err(|_| refused("is not a name"))?;
        if is_reserved(&parsed) {
            return Err(refused("is set by the client itself"));
        }
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| refused("has a character that a header cannot have"))?;
        value.set_sensitive(true);
        headers
            .try_append(parsed, value)
            .map_err(|_| refused("is one too many"))?;
    }
    Ok(headers)
}

/// Headers by which one request could be made to look like another, or go astray.
fn is_reserved(name: &HeaderName) -> bool {
    let reserved = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let other = ["keep-alive", "http2-settings"];
    reserved.contains(name) || other.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<HeaderMap> {
        headers(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn reserved_and_broken_headers_are_refused() {
        for (name, value) in [
            ("Host", "internal"),
            ("transfer-encoding", "chunked"),
            ("Content-Length", "5"),
            ("Connection", "upgrade"),
            ("Proxy-Authorization", "x"),
            ("a b", "x"),
            ("", "x"),
            ("x", "a\r\nHost: b"),
            ("x\r\ny", "z"),
        ] {
            let answer = one(name, value);
            assert!(matches!(answer, Err(Error::Header { .. })), "{name}");
        }
        assert!(one("X-Api-Key", "ä").is_ok());
    }

    #[test]
    fn methods_are_those_of_requests() {
        for text in ["GET", "POST", "PROPFIND"] {
            assert!(method(text).is_ok(), "{text}");
        }
        for text in ["", "G T", "CONNECT", "TRACE", "GET / HTTP/1.1\r\n"] {
            assert!(matches!(method(text), Err(Error::Method { .. })), "{text}");
        }
    }
}
