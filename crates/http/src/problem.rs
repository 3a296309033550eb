//! Problems: every error of the API, as RFC 9457 has it.
//!
//! A problem carries what a client may know, and, for the log alone, its cause.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    faults: Vec<Fault>,
    retry_after: Option<Duration>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// One fault of a request: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// A JSON pointer into the body (RFC 6901), or `/query/name`, `/path/name`, `/header/name`.
    pub pointer: String,
    /// What is wrong there and how to mend it.
    pub detail: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    instance: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    /// A problem of which the status says all.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            detail: None,
            faults: Vec::new(),
            retry_after: None,
            cause: None,
        }
    }

    /// A problem, what happened, and how to mend it.
    pub fn with_detail(status: StatusCode, detail: impl fmt::Display) -> Self {
        Self {
            detail: Some(detail.to_string()),
            ..Self::new(status)
        }
    }

    /// 401: the credential is missing or no good.
    pub fn unauthorized(detail: &str) -> Self {
        Self::with_detail(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403: the role or scope does not suffice.
    pub fn forbidden(detail: impl fmt::Display) -> Self {
        Self::with_detail(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing, or it belongs to another organization.
    pub fn not_found() -> Self {
        Self::with_detail(StatusCode::NOT_FOUND, "there is no such thing")
    }

    /// 409: the request contradicts the state of things.
    pub fn conflict(detail: impl fmt::Display) -> Self {
        Self::with_detail(StatusCode::CONFLICT, detail)
    }

    /// 422: the request breaks rules.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::with_detail(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the request breaks the rules listed in `errors`",
            )
        }
    }

    /// 422 for one fault.
    pub fn fault(pointer: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::invalid(vec![Fault {
            pointer: pointer.into(),
            detail: detail.to_string(),
        }])
    }

    /// 503: there is more to do than can be done soon.
    pub fn busy(detail: impl fmt::Display) -> Self {
        metrics::counter!("archesai_http_requests_shed_total").increment(1);
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::with_detail(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 503: something behind the API is unavailable. The cause is logged and not shown.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            cause: Some(Arc::from(cause.into())),
            ..Self::with_detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "a backing service is unavailable; try again shortly",
            )
        }
    }

    /// 500: the server is at fault, and trying again will not help. The cause is logged and not shown.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(Arc::from(cause.into())),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// How long to wait before trying again; no time where it does not say.
    pub(crate) fn wait(&self) -> Duration {
        self.retry_after.unwrap_or_default()
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Why, for the log.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The answer, for a request.
    pub fn answer(&self, instance: &str, request_id: &str) -> HttpResponse {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.as_deref(),
            instance,
            request_id,
            errors: &self.faults,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut answer = HttpResponseBuilder::new(self.status);
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(wait) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, wait.as_secs_f64().ceil().to_string()));
        }
        answer.body(body)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => f.write_str(detail),
            None => write!(f, "{}", self.status),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Without the request at hand; [`crate::observe`] writes the whole answer.
    fn error_response(&self) -> HttpResponse {
        self.answer("", "")
    }
}
