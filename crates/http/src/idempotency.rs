//! Carrying out a request once per `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! Two things work together. The key is claimed, so that requests at the same
//! time do not get into each other's way, and the answer is kept, so that the
//! next one gets the same. And what the request makes has an identity that
//! follows from the key and from what is asked for: should the process die, or
//! the answer of a commit be lost, before the answer is kept, then the request
//! that is sent again meets what the first one made.

use std::time::{Duration, SystemTime};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    rt,
};
use archesai_platform::idempotency::{Claim, IdempotencyKeys as _, RequestKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::{Answer, Problem, answer::Given, call::Call};

pub(crate) const HEADER: &str = "idempotency-key";

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key.
const MAX_LENGTH: usize = 255;

/// How long a request may take before another with its key may take over: after
/// a crash its client waits so long. To take over too soon does no harm, since
/// both make the same.
const LEASE: Duration = Duration::from_secs(10);

/// An answer as it is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    given: Given,
}

/// Carries an operation out unless it was carried out before under the same key.
/// It is told the identity of what it is to make.
pub(crate) async fn once<B, T>(
    call: Call,
    body: B,
    status: StatusCode,
    carry_out: impl AsyncFnOnce(&Call, Uuid, B) -> Result<T, Problem> + 'static,
) -> Result<HttpResponse, Problem>
where
    B: Serialize + 'static,
    T: Answer + 'static,
{
    let Some(key) = request_key(&call)? else {
        let id = Uuid::from_u128(call.gate().ids.next());
        let answer = carry_out(&call, id, body).await?;
        return call.answer(status, &answer);
    };
    let request = call.request().clone();
    // On a task of its own: a client who hangs up must not stop it halfway.
    let task = rt::spawn(async move {
        let fingerprint = fingerprint(&call, &key, &body)?;
        let claimed = Claimed::at_this_moment(&call, key);
        if let Some(kept) = claimed.claim(&fingerprint).await? {
            return Ok((kept, true));
        }
        let id = identity(&fingerprint);
        let carried_out = carry_out(&call, id, body).await;
        match carried_out.and_then(|answer| answer.give()) {
            Ok(given) => {
                let status = status.as_u16();
                let kept = Kept { status, given };
                claimed.finish(&kept).await;
                Ok((kept, false))
            }
            Err(problem) => {
                claimed.release().await;
                Err(problem)
            }
        }
    });
    let (kept, replayed) = task.await.map_err(Problem::internal)??;
    let status = StatusCode::from_u16(kept.status).map_err(Problem::internal)?;
    let mut response = kept.given.respond(&request, status)?;
    if replayed {
        let value = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, value);
    }
    Ok(response)
}

/// A request with a key, claimed at a time.
struct Claimed<'a> {
    call: &'a Call,
    key: RequestKey,
    at: SystemTime,
}

impl<'a> Claimed<'a> {
    fn at_this_moment(call: &'a Call, key: RequestKey) -> Self {
        let at = call.gate().clock.now();
        Self { call, key, at }
    }

    /// Claims the request, or answers what it was answered before.
    async fn claim(&self, fingerprint: &[u8; 32]) -> Result<Option<Kept>, Problem> {
        let keys = &self.call.gate().idempotency;
        let claim = keys.claim(&self.key, fingerprint, self.at, LEASE).await;
        match claim.map_err(Problem::unavailable)? {
            Claim::Ours => Ok(None),
            Claim::InProgress => Err(in_progress()),
            Claim::Different => Err(different()),
            Claim::Done(sealed) => {
                let plain = self.call.gate().vault.open(&self.key, &sealed).await;
                let plain = plain.map_err(Problem::unavailable)?;
                let kept = serde_json::from_slice(&plain).map_err(Problem::internal)?;
                Ok(Some(kept))
            }
        }
    }

    /// Keeps the answer. The request took effect: that its answer cannot be kept
    /// must not turn it into an error.
    async fn finish(&self, kept: &Kept) {
        let gate = self.call.gate();
        let plain = serde_json::to_vec(kept).expect("texts and numbers can be written as JSON");
        let done = match gate.vault.seal(&self.key, &plain) {
            Ok(sealed) => gate.idempotency.finish(&self.key, self.at, &sealed).await,
            Err(error) => Err(error),
        };
        logged(done);
    }

    /// Gives the key back. What took effect nevertheless is met by the next try.
    async fn release(&self) {
        logged(
            self.call
                .gate()
                .idempotency
                .release(&self.key, self.at)
                .await,
        );
    }
}

/// Leaves it at a line in the log: the claim lapses by itself.
fn logged(done: archesai_platform::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(error = &error as &dyn std::error::Error, "idempotency key");
    }
}

/// Names the request by who asks for what, and their key.
fn request_key(call: &Call) -> Result<Option<RequestKey>, Problem> {
    let Some(value) = call.request().headers().get(HEADER) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > MAX_LENGTH {
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
    serde_json::to_writer(&mut asked, body).map_err(Problem::internal)?;
    let vault = &call.gate().vault;
    vault.mac(key, &asked).map_err(Problem::unavailable)
}

/// The identity of what a request makes: the same for the same key and the same
/// request, and no other (UUID version 8, RFC 9562).
fn identity(fingerprint: &[u8; 32]) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(fingerprint).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
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
