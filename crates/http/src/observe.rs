//! Seeing every request: its id, one line in the log, its metrics; and the last
//! word on errors, so that nothing but problem+json comes back.

use std::{
    cell::RefCell,
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method, StatusCode,
        header::{ALLOW, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use archesai_auth::UserId;
use archesai_platform::limits::{Decision, Quota};
use bytes::Bytes;
use uuid::Uuid;

use crate::{Gate, Operation, Problem, condition, generated::operations};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What is told whose change came at the same time as another.
const OVERTAKEN: &str = "it was changed at the same moment; send the request again";

/// The longest request id that is taken from a client.
const MAX_REQUEST_ID: usize = 128;

/// What becomes known of a request while it is served.
#[derive(Default)]
struct Seen {
    operation: Option<&'static Operation>,
    user_id: Option<UserId>,
    limit: Option<(Quota, Decision)>,
}

/// [`Seen`], as it travels with the request.
#[derive(Clone, Default)]
struct Observation(Rc<RefCell<Seen>>);

/// The id of a request, as it travels with it.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

fn note(request: &HttpRequest, change: impl FnOnce(&mut Seen)) {
    if let Some(observation) = request.extensions().get::<Observation>() {
        change(&mut observation.0.borrow_mut());
    }
}

/// Notes which operation a request turned out to ask for.
pub(crate) fn entered(request: &HttpRequest, operation: &'static Operation) {
    note(request, |seen| seen.operation = Some(operation));
}

/// Notes who a request turned out to come from.
pub(crate) fn identified(request: &HttpRequest, user_id: UserId) {
    note(request, |seen| seen.user_id = Some(user_id));
}

/// Notes what the rate limiter said.
pub(crate) fn counted(request: &HttpRequest, quota: Quota, decision: Decision) {
    note(request, |seen| seen.limit = Some((quota, decision)));
}

/// The id of a request.
pub(crate) fn request_id(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    extensions
        .get::<RequestId>()
        .map_or_else(String::new, |id| id.0.clone())
}

/// Wraps every request.
pub async fn observe<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let observation = Observation::default();
    let id = given_id(request.headers()).unwrap_or_else(|| new_id(&request));
    request.extensions_mut().insert(observation.clone());
    request.extensions_mut().insert(RequestId(id.clone()));
    let gate = request.app_data::<web::Data<Gate>>();
    // Whoever is told now will not find the connection closed when they ask again.
    let stopping = gate.is_some_and(|gate| (gate.stopping)());
    // Copies rather than the request itself, which routing needs for itself alone.
    let (method, path) = (request.method().clone(), request.path().to_owned());
    // What can be read can be asked about.
    if method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let mut answered = match next.call(request).await {
        Ok(response) => Ok(settle(response.map_into_boxed_body(), &id)),
        Err(error) => Err(answer_to(&error, &path, &id)),
    };
    if method == Method::HEAD {
        answered =
            answered.map(|response| response.map_body(|_, body| BoxBody::new(Unsent(body.size()))));
    }
    let response = match &mut answered {
        Ok(response) => response.response_mut(),
        Err(response) => response,
    };
    if stopping {
        response
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    let seen = observation.0.borrow();
    write_headers(response.headers_mut(), &id, &seen);
    report(
        (&method, &path),
        response.status(),
        &id,
        &seen,
        started.elapsed(),
    );
    answered
        .map_err(|response| InternalError::from_response("no handler answered", response).into())
}

/// A body that a client only asks about: it has its size, and nothing is read of it.
struct Unsent(BodySize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Replaces an error's provisional answer by the whole one, and gives one to
/// what the framework refuses without a word, such as a method.
fn settle(response: ServiceResponse, id: &str) -> ServiceResponse {
    let (status, path) = (response.status(), response.request().path());
    let wordless = matches!(
        response.response().body().size(),
        BodySize::None | BodySize::Sized(0)
    );
    let mut answer = match response.response().error() {
        // Whoever named no version was overtaken, and broke no condition.
        Some(error) if status == StatusCode::PRECONDITION_FAILED => {
            match condition::expected(response.request()) {
                Ok(Some(_)) => answer_to(error, path, id),
                _ => Problem::conflict(OVERTAKEN).answer(path, id),
            }
        }
        Some(error) => answer_to(error, path, id),
        None if wordless && (status.is_client_error() || status.is_server_error()) => {
            wordless_problem(status).answer(path, id)
        }
        None => return response,
    };
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let methods = allowed(response.request().match_pattern().as_deref());
        answer.headers_mut().insert(ALLOW, methods);
    }
    response.into_response(answer)
}

/// The methods that a path takes (RFC 9110, section 10.2.1). What is not in the
/// contract is a part of the docs, which can be read.
fn allowed(path: Option<&str>) -> HeaderValue {
    let operations = operations::ALL.iter();
    let mut methods: Vec<&str> = operations
        .filter(|operation| Some(operation.path) == path)
        .map(|operation| operation.method)
        .collect();
    if methods.is_empty() {
        methods.push("GET");
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    HeaderValue::from_str(&methods.join(", ")).expect("methods are made of letters")
}

/// What there is to say about an answer without a word.
fn wordless_problem(status: StatusCode) -> Problem {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::with_detail(status, "this path takes other methods; /docs shows which")
        }
        status => Problem::new(status),
    }
}

/// Any error as a problem. What is not ours is told by its status alone.
fn answer_to(error: &Error, path: &str, id: &str) -> HttpResponse {
    let status = error.as_response_error().status_code();
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None if status.is_server_error() => {
            tracing::error!(request_id = id, error = %error, "unexpected error");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
        }
        None => Problem::new(status),
    };
    if let Some(cause) = problem.cause() {
        tracing::error!(
            request_id = id,
            error = cause as &dyn std::error::Error,
            "the request failed"
        );
    }
    problem.answer(path, id)
}

/// The id a client gave its request, if it is harmless to repeat.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let harmless = |c: u8| c.is_ascii_alphanumeric() || b"-_.:".contains(&c);
    (!id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(harmless))
        .then(|| id.to_owned())
}

fn new_id(request: &ServiceRequest) -> String {
    let gate = request.app_data::<web::Data<Gate>>();
    let id = gate.map_or(0, |gate| gate.ids.next());
    Uuid::from_u128(id).to_string()
}

fn write_headers(headers: &mut HeaderMap, id: &str, seen: &Seen) {
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(REQUEST_ID, id);
    set(HeaderName::from_static("x-content-type-options"), "nosniff");
    if let Some((quota, decision)) = &seen.limit {
        let (name, window) = (quota.name, quota.window.as_secs());
        set(
            LIMIT_POLICY,
            &format!("\"{name}\";q={};w={window}", quota.limit),
        );
        let wait = decision.retry_after.as_secs_f64().ceil();
        set(
            LIMIT,
            &format!("\"{name}\";r={};t={wait}", decision.remaining),
        );
    }
}

/// One line in the log and two metrics. The path is not a label: it is the client's to choose.
fn report(
    (method, path): (&Method, &str),
    status: StatusCode,
    id: &str,
    seen: &Seen,
    took: Duration,
) {
    let action = seen.operation.map_or("none", |operation| operation.id);
    let user_id = seen.user_id.map(|id| id.to_string());
    tracing::info!(
        target: "archesai::access",
        request_id = id,
        user_id,
        action,
        %method,
        path,
        status = status.as_u16(),
        duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
        "request"
    );
    metrics::counter!(
        "archesai_http_requests_total",
        "operation" => action,
        "status" => status.as_str().to_owned()
    )
    .increment(1);
    metrics::histogram!("archesai_http_request_duration_seconds", "operation" => action)
        .record(took.as_secs_f64());
}
