//! Answers: what a use case gives, as an HTTP response.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde::Serialize;

/// A value with the version of the entity behind it, which its `ETag` is made from.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The entity's version.
    pub version: u64,
    /// The value.
    pub value: T,
}

/// A new entity with its version, and the path it is read at.
#[derive(Clone, Debug)]
pub struct Created<T> {
    /// What `Location` says.
    pub location: String,
    /// The entity.
    pub entity: Versioned<T>,
}

/// What a use case gives. Kept apart from the response so that an idempotent
/// request can get it a second time.
#[derive(Clone, Debug)]
pub struct Given {
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) body: Option<Vec<u8>>,
}

/// A value that can be answered.
pub trait Answer {
    /// The value as an answer.
    fn give(self) -> Given;
}

impl<T: Serialize> Answer for T {
    fn give(self) -> Given {
        Given {
            etag: None,
            location: None,
            body: serde_json::to_vec(&self)
                .ok()
                .filter(|body| body != b"null"),
        }
    }
}

impl<T: Serialize> Answer for Versioned<T> {
    fn give(self) -> Given {
        Given {
            etag: Some(format!("\"{}\"", self.version)),
            location: None,
            body: serde_json::to_vec(&self.value).ok(),
        }
    }
}

impl<T: Serialize> Answer for Created<T> {
    fn give(self) -> Given {
        Given {
            location: Some(self.location),
            ..self.entity.give()
        }
    }
}

impl Given {
    /// The response to a request: 204 without a body, 304 if the client has it already.
    pub(crate) fn respond(self, request: &HttpRequest, status: StatusCode) -> HttpResponse {
        let Some(body) = self.body else {
            return HttpResponse::NoContent().finish();
        };
        let mut response = HttpResponseBuilder::new(status);
        response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(etag) = self.etag {
            let known = request.method().is_safe() && is_known(request, &etag);
            response.insert_header((header::ETAG, etag));
            if known {
                return response.status(StatusCode::NOT_MODIFIED).finish();
            }
        }
        response.content_type("application/json").body(body)
    }
}

/// Whether `If-None-Match` names the tag, by weak comparison (RFC 9110, section 13.1.2).
pub(crate) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let header = request.headers().get(header::IF_NONE_MATCH);
    let Some(tags) = header.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == etag || tag == "*")
}
