//! Carrying out a request once per `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).

use std::{future::Future, time::Duration};

use actix_web::{HttpResponse, http::StatusCode};
use archesai_platform::idempotency::{Claim, RequestKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Answer, Problem, answer::Given, call::Call};

pub(crate) const HEADER: &str = "idempotency-key";

/// The longest key.
const MAX_LENGTH: usize = 255;

/// An answer as it is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    etag: Option<String>,
    #[serde(default)]
    location: Option<String>,
    body: Option<String>,
}

/// Carries an operation out unless it was carried out before under the same key.
pub(crate) async fn once<B, T, F>(
    call: &Call,
    body: &B,
    status: StatusCode,
    carry_out: impl FnOnce() -> F,
) -> Result<HttpResponse, Problem>
where
    B: Serialize,
    T: Answer,
    F: Future<Output = Result<T, Problem>>,
{
    let Some(key) = request_key(call)? else {
        return Ok(call.answer(status, carry_out().await?));
    };
    let keys = &call.gate().idempotency;
    let fingerprint = fingerprint(call, &key, body)?;
    match keys
        .claim(&key, &fingerprint)
        .await
        .map_err(Problem::unavailable)?
    {
        Claim::Ours => {}
        Claim::InProgress => return Err(in_progress()),
        Claim::Different => return Err(different()),
        Claim::Done {
            fingerprint: first, ..
        } if first != fingerprint => return Err(different()),
        Claim::Done { answer, .. } => return replay(call, &key, &answer),
    }
    let given = match carry_out().await {
        Ok(answer) => answer.give(),
        Err(problem) => {
            keys.release(&key).await.map_err(Problem::unavailable)?;
            return Err(problem);
        }
    };
    let sealed = seal(call, &key, status, &given)?;
    // The request took effect; that its answer could not be kept must not turn it into an error.
    if let Err(error) = keys.finish(&key, &sealed).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "idempotency key");
    }
    Ok(given.respond(call.request(), status))
}

/// Names the request by who asks for what, and their key.
fn request_key(call: &Call) -> Result<Option<RequestKey>, Problem> {
    let Some(value) = call.request().headers().get(HEADER) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    if !call.operation().idempotent || key.is_empty() || key.len() > MAX_LENGTH {
        return Err(Problem::fault(
            format!("/header/{HEADER}"),
            format_args!("must have 1 to {MAX_LENGTH} visible ASCII characters"),
        ));
    }
    let mut digest = Sha256::new();
    digest.update(call.operation().id);
    if let Some(caller) = call.caller_if_any() {
        digest.update(caller.user_id.0.to_be_bytes());
        digest.update(caller.organization_id.0.to_be_bytes());
    }
    digest.update([0]);
    digest.update(key);
    Ok(Some(digest.finalize().into()))
}

/// What the request asks for: its path and its body as understood.
///
/// Keyed, because the body may hold what can be guessed, such as a password.
fn fingerprint(call: &Call, key: &RequestKey, body: &impl Serialize) -> Result<[u8; 32], Problem> {
    let mut asked = call.request().path().as_bytes().to_vec();
    asked.push(0);
    serde_json::to_writer(&mut asked, body).map_err(Problem::unavailable)?;
    let vault = &call.gate().vault;
    vault.mac(key, &asked).map_err(Problem::unavailable)
}

fn seal(
    call: &Call,
    key: &RequestKey,
    status: StatusCode,
    given: &Given,
) -> Result<Vec<u8>, Problem> {
    let body = given.body.clone().map(String::from_utf8).transpose();
    let kept = Kept {
        status: status.as_u16(),
        etag: given.etag.clone(),
        location: given.location.clone(),
        body: body.map_err(Problem::unavailable)?,
    };
    let plain = serde_json::to_vec(&kept).map_err(Problem::unavailable)?;
    call.gate()
        .vault
        .seal(key, &plain)
        .map_err(Problem::unavailable)
}

fn replay(call: &Call, key: &RequestKey, sealed: &[u8]) -> Result<HttpResponse, Problem> {
    let plain = call
        .gate()
        .vault
        .open(key, sealed)
        .map_err(Problem::unavailable)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(Problem::unavailable)?;
    let given = Given {
        etag: kept.etag,
        location: kept.location,
        body: kept.body.map(String::into_bytes),
    };
    let status = StatusCode::from_u16(kept.status).map_err(Problem::unavailable)?;
    let mut response = given.respond(call.request(), status);
    response.headers_mut().insert(
        actix_web::http::header::HeaderName::from_static("idempotency-replayed"),
        actix_web::http::header::HeaderValue::from_static("true"),
    );
    Ok(response)
}

fn in_progress() -> Problem {
    Problem::conflict("the first request with this Idempotency-Key is being carried out")
        .retry_after(Duration::from_secs(1))
}

fn different() -> Problem {
    Problem::fault(
        format!("/header/{HEADER}"),
        "was used for another request; take a new key for a new request",
    )
}
