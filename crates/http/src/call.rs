//! One call of an operation, from the request to the answer. Every generated
//! handler goes through here, so that nothing can be left out.

use std::{cell::Cell, net::IpAddr, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use archesai_auth::{Identity, Scope, is_api_key};
use archesai_organizations::{OrganizationId, Role, UserId};
use archesai_platform::limits::{Decision, Quota, RateLimiter as _};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;
use validator::Validate;

use crate::{
    Access, Gate, Operation, Place, Problem, body, condition,
    guesses::network,
    idempotency, observe, query,
    room::{Seat, Space},
};

pub use crate::{
    answer::{Answer, Versioned},
    caller::{Caller, Guest},
    query::PathValue,
};

/// The largest body that is taken without a credential, in bytes.
const MAX_GUEST_BYTES: usize = 256 << 10;

/// One call of an operation, let through by the gate.
pub struct Call {
    request: HttpRequest,
    gate: Arc<Gate>,
    operation: &'static Operation,
    guest: Guest,
    caller: Option<Caller>,
    /// Held while the server works on the call.
    seat: Cell<Option<Seat>>,
    /// What its body takes.
    space: Cell<Option<Space>>,
}

impl Call {
    /// Lets a request through to an operation that is not public: rate limit,
    /// authentication, authorization.
    ///
    /// # Errors
    ///
    /// 401, 403, 404 or 429.
    pub async fn open(
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<Self, Problem> {
        let mut call = Self::enter(request, operation)?;
        let identity = match call.identify().await {
            Ok(identity) => identity,
            Err(problem) if problem.status() != StatusCode::UNAUTHORIZED => return Err(problem),
            Err(problem) => {
                // Whoever guesses credentials is counted as the guest they are.
                call.count_guess().await?;
                return Err(problem);
            }
        };
        observe::identified(request, identity.user_id);
        let quota = call.gate.settings.caller_quota;
        call.count(&quota, &identity.user_id.to_string()).await?;
        call.caller = Some(call.authorize(identity).await?);
        Ok(call)
    }

    /// Lets a request through to a public operation: rate limit.
    ///
    /// # Errors
    ///
    /// 429
    pub async fn open_public(
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<Self, Problem> {
        let call = Self::enter(request, operation)?;
        match operation.access {
            Access::Unlimited => {}
            Access::Public => call.count_guest().await?,
            _ => return Err(Problem::unauthorized("this takes a credential")),
        }
        Ok(call)
    }

    async fn count_guest(&self) -> Result<(), Problem> {
        let quota = self.gate.settings.guest_quota;
        let network = network(self.guest.address);
        self.count(&quota, &network.to_string()).await
    }

    /// Counts a credential that was no good.
    async fn count_guess(&self) -> Result<(), Problem> {
        let counted = self.count_guest().await;
        if let Err(wait) = counted.as_ref().map_err(Problem::wait) {
            let network = network(self.guest.address);
            self.gate.guesses.refuse(network, wait);
        }
        counted
    }

    /// Refuses an API key from where too many were guessed, before anybody looks
    /// for it: that takes the database, which guesses must not keep busy. What was
    /// not signed here is told from an access token without.
    fn refuse_guess(&self, token: &str) -> Result<(), Problem> {
        if !is_api_key(token) {
            return Ok(());
        }
        match self.gate.guesses.refused(network(self.guest.address)) {
            Some(wait) => Err(too_many(wait)),
            None => Ok(()),
        }
    }

    fn enter(request: &HttpRequest, operation: &'static Operation) -> Result<Self, Problem> {
        observe::entered(request, operation);
        let gate = request.app_data::<web::Data<Gate>>();
        let gate = Arc::clone(gate.ok_or_else(|| Problem::unavailable("no gate"))?);
        // How the server is must be told above all when it has too much to do.
        let seat = match operation.access {
            Access::Unlimited => None,
            access => Some(gate.room.enter(access.party())?),
        };
        let user_agent = request.headers().get(header::USER_AGENT);
        let guest = Guest {
            address: address(request, gate.settings.trust_forwarded),
            user_agent: user_agent
                .and_then(|value| value.to_str().ok())
                .map(ToOwned::to_owned),
        };
        Ok(Self {
            request: request.clone(),
            gate,
            operation,
            guest,
            caller: None,
            seat: Cell::new(seat),
            space: Cell::default(),
        })
    }

    /// Gives the seat back, before what takes as long as the client takes.
    pub(crate) fn wait_for_client(&self) {
        self.seat.take();
    }

    /// Checks again that the caller may be here, for an answer that takes its time.
    ///
    /// # Errors
    ///
    /// 401, 403 or 404
    pub(crate) async fn recheck(&self) -> Result<(), Problem> {
        let identity = self.identify().await?;
        self.authorize(identity).await.map(|_| ())
    }

    async fn identify(&self) -> Result<Identity, Problem> {
        let header = self.request.headers().get(header::AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        match token {
            Some(token) => {
                self.refuse_guess(token)?;
                self.gate.identities.identify(token).await
            }
            None => Err(Problem::unauthorized(
                "send `Authorization: Bearer` with an access token or an API key",
            )),
        }
    }

    /// Counts the request; a limiter that is down lets it through.
    async fn count(&self, quota: &Quota, subject: &str) -> Result<(), Problem> {
        let decision = match self.gate.limiter.check(quota, subject).await {
            Ok(decision) => decision,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "rate limiter");
                return Ok(());
            }
        };
        observe::counted(&self.request, *quota, decision);
        let Decision {
            allowed,
            retry_after,
            ..
        } = decision;
        if allowed {
            return Ok(());
        }
        metrics::counter!("archesai_rate_limited_total", "quota" => quota.name).increment(1);
        Err(too_many(retry_after))
    }

    async fn authorize(&self, identity: Identity) -> Result<Caller, Problem> {
        let mut caller = Caller {
            user_id: identity.user_id,
            organization_id: OrganizationId(identity.organization_id.0),
            role: None,
            session_id: identity.session_id,
            api_key_id: identity.api_key_id,
        };
        match self.operation.access {
            Access::User if caller.session_id.is_none() => return Err(session_only()),
            Access::Unlimited | Access::Public | Access::User => {}
            Access::Member { role, scope, place } => {
                if let Some(granted) = &identity.scopes {
                    within(granted, scope)?;
                }
                caller.organization_id = self.place(place, &caller)?;
                caller.role = Some(self.role(place, &caller, role).await?);
            }
        }
        Ok(caller)
    }

    /// Which organization the operation works in. An API key works in its own alone.
    fn place(&self, place: Place, caller: &Caller) -> Result<OrganizationId, Problem> {
        let Place::Path = place else {
            return Ok(caller.organization_id);
        };
        let id: Uuid = self.path("id")?;
        let id = OrganizationId(id.as_u128());
        if caller.api_key_id.is_some() && id != caller.organization_id {
            return Err(Problem::not_found());
        }
        Ok(id)
    }

    async fn role(&self, place: Place, caller: &Caller, needed: Role) -> Result<Role, Problem> {
        let user = UserId(caller.user_id.0);
        match self
            .gate
            .identities
            .role(caller.organization_id, user)
            .await?
        {
            Some(role) if role >= needed => Ok(role),
            Some(_) => Err(Problem::forbidden(format_args!(
                "this takes the role {needed}"
            ))),
            None if place == Place::Path => Err(Problem::not_found()),
            None => Err(Problem::forbidden(
                "you do not belong to the organization that this credential works in; \
                 switch with PATCH /v1/auth/session",
            )),
        }
    }

    /// Whoever calls.
    ///
    /// # Panics
    ///
    /// In a call of a public operation, which nobody in particular makes.
    pub fn caller(&self) -> &Caller {
        self.caller
            .as_ref()
            .expect("`open` lets nobody through without a caller")
    }

    /// Whoever calls, unless the operation is public.
    pub(crate) fn caller_if_any(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Whoever calls, as far as anybody can know without a credential.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The request.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// What every request passes, for the operations whose transport is written by hand.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The operation.
    pub(crate) fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// Reads a path parameter.
    ///
    /// # Errors
    ///
    /// 422
    pub fn path<T: PathValue>(&self, name: &str) -> Result<T, Problem> {
        query::path(&self.request, name)
    }

    /// Reads the query.
    ///
    /// # Errors
    ///
    /// 422
    pub fn query<T: DeserializeOwned + Validate>(&self) -> Result<T, Problem> {
        query::read(&self.request)
    }

    /// Reads the JSON body.
    ///
    /// # Errors
    ///
    /// 400, 408, 413, 415, 422, or 503 if there is no room for it
    pub async fn body<T: DeserializeOwned + Validate>(
        &self,
        payload: web::Payload,
    ) -> Result<T, Problem> {
        self.wait_for_client();
        let settings = &self.gate.settings;
        // Nobody is known to have sent it, so that nobody could be asked to stop.
        let limit = match self.operation.access {
            Access::Public => settings.max_json_bytes.min(MAX_GUEST_BYTES),
            _ => settings.max_json_bytes,
        };
        let (room, party) = (&self.gate.room, self.operation.access.party());
        let mut space = room.space(party);
        let body = body::read(&self.request, payload, settings, limit, &mut space).await?;
        self.space.set(Some(space));
        self.seat.set(Some(room.enter(party)?));
        Ok(body)
    }

    /// The versions in `If-Match`, one of which a change must find; `None` where any will do.
    ///
    /// # Errors
    ///
    /// 400
    pub fn if_match(&self) -> Result<Option<Vec<u64>>, Problem> {
        condition::expected(&self.request)
    }

    /// Whether the request comes with an `Idempotency-Key`.
    pub(crate) fn has_idempotency_key(&self) -> bool {
        self.request.headers().contains_key(idempotency::HEADER)
    }

    /// Answers with what the use case gave.
    ///
    /// # Errors
    ///
    /// 400 for a malformed `If-None-Match`, 500 for what cannot be written as JSON.
    pub fn answer(
        &self,
        status: StatusCode,
        answer: &impl Answer,
    ) -> Result<HttpResponse, Problem> {
        answer.give()?.respond(&self.request, status)
    }

    /// Carries an operation out once per `Idempotency-Key`, and answers. It is
    /// told the identity of what it is to make: one of its own for every key and body.
    ///
    /// # Errors
    ///
    /// Those of the operation; 422 if the key came with another body; 409 while
    /// the first request is being carried out.
    pub async fn once<B, T>(
        self,
        body: B,
        status: StatusCode,
        carry_out: impl AsyncFnOnce(&Self, Uuid, B) -> Result<T, Problem> + 'static,
    ) -> Result<HttpResponse, Problem>
    where
        B: Serialize + 'static,
        T: Answer + 'static,
    {
        idempotency::once(self, body, status, carry_out).await
    }
}

/// Refuses an API key without the scope that an operation takes.
fn within(granted: &[Scope], needed: Option<Scope>) -> Result<(), Problem> {
    match needed {
        None => Err(session_only()),
        Some(scope) if granted.contains(&scope) => Ok(()),
        Some(scope) => Err(Problem::forbidden(format_args!(
            "the API key lacks the scope {scope}"
        ))),
    }
}

/// 429, for so long.
fn too_many(wait: Duration) -> Problem {
    let problem = Problem::with_detail(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests; wait as long as `Retry-After` says",
    );
    problem.retry_after(wait)
}

fn session_only() -> Problem {
    Problem::forbidden("this takes a session; API keys may not")
}

/// Where a request comes from.
fn address(request: &HttpRequest, trust_forwarded: bool) -> IpAddr {
    // The nearest proxy adds the last address: in the last line, at its end.
    let forwarded = request
        .headers()
        .get_all("x-forwarded-for")
        .last()
        .filter(|_| trust_forwarded)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .and_then(|value| value.trim().parse().ok());
    let peer = request.peer_addr().map(|address| address.ip());
    forwarded.or(peer).unwrap_or(IpAddr::from([0, 0, 0, 0]))
}
