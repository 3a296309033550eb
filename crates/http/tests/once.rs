//! A request with an `Idempotency-Key` whose client hangs up, or whose answer cannot be kept.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on is one that fails"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use actix_web::{HttpResponse, http::StatusCode, test::TestRequest, web};
use archesai_auth::Identity;
use archesai_http::{
    Gate, Guesses, Identities, Problem, Room, Settings,
    call::Call,
    erased::{AnyIdempotencyKeys, AnyRateLimiter},
    generated::operations::REGISTER,
};
use archesai_organizations::{OrganizationId, Role, UserId};
use archesai_platform::{
    Error, Result,
    idempotency::{Claim, IdempotencyKeys, RequestKey},
    limits::{Decision, Quota, RateLimiter},
    system::{Clock, Ids},
    vault::{Opening, Vault},
};
use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use uuid::Uuid;

/// Everything the gate is made of. It remembers one request.
#[derive(Clone, Default)]
struct World {
    kept: Arc<Mutex<Option<Vec<u8>>>>,
    told: Arc<Mutex<Vec<&'static str>>>,
    finished: Arc<Notify>,
    forgets: bool,
    next: Arc<AtomicU64>,
}

impl Clock for World {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

impl Ids for World {
    fn next(&self) -> u128 {
        u128::from(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Vault for World {
    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]> {
        let mut mac = [0_u8; 32];
        for (at, byte) in context.iter().chain(bytes).enumerate() {
            mac[at % 32] = byte.wrapping_add(mac[at % 32].rotate_left(3));
        }
        Ok(mac)
    }

    fn seal(&self, _context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        Ok(plain.to_vec())
    }

    fn open<'a>(&'a self, _context: &'a [u8], sealed: &'a [u8]) -> Opening<'a> {
        Box::pin(async { Ok(sealed.to_vec()) })
    }
}

impl RateLimiter for World {
    async fn check(&self, _quota: &Quota, _subject: &str) -> Result<Decision> {
        Ok(Decision {
            allowed: true,
            remaining: 1,
            retry_after: Duration::ZERO,
        })
    }
}

impl IdempotencyKeys for World {
    async fn claim(
        &self,
        _key: &RequestKey,
        _fingerprint: &[u8; 32],
        _now: SystemTime,
        _lease: Duration,
    ) -> Result<Claim> {
        self.told.lock().unwrap().push("claim");
        let kept = self.kept.lock().unwrap().clone();
        Ok(kept.map_or(Claim::Ours, Claim::Done))
    }

    async fn finish(&self, _key: &RequestKey, _at: SystemTime, answer: &[u8]) -> Result<()> {
        self.told.lock().unwrap().push("finish");
        self.finished.notify_one();
        if self.forgets {
            return Err(Error::unavailable("it forgets"));
        }
        *self.kept.lock().unwrap() = Some(answer.to_vec());
        Ok(())
    }

    async fn release(&self, _key: &RequestKey, _at: SystemTime) -> Result<()> {
        self.told.lock().unwrap().push("release");
        Ok(())
    }

    async fn sweep(&self, _before: SystemTime) -> Result<u64> {
        Ok(0)
    }
}

#[async_trait]
impl Identities for World {
    async fn identify(&self, _token: &str) -> Result<Identity, Problem> {
        Err(Problem::not_found())
    }

    async fn role(&self, _: OrganizationId, _: UserId) -> Result<Option<Role>, Problem> {
        Ok(None)
    }
}

impl World {
    /// A call of an operation that anybody may call.
    async fn call(&self, key: Option<&str>) -> Call {
        let gate = Gate {
            identities: Arc::new(self.clone()),
            limiter: AnyRateLimiter::new(self.clone()),
            idempotency: AnyIdempotencyKeys::new(self.clone()),
            vault: Arc::new(self.clone()),
            clock: Arc::new(self.clone()),
            ids: Arc::new(self.clone()),
            guesses: Guesses::default(),
            room: Room::new(usize::MAX, usize::MAX),
            stopping: Arc::new(|| false),
            settings: Settings::default(),
        };
        let mut request = TestRequest::post().app_data(web::Data::new(gate));
        if let Some(key) = key {
            request = request.insert_header(("idempotency-key", key));
        }
        let request = request.to_http_request();
        Call::open_public(&request, &REGISTER).await.unwrap()
    }

    /// Sends a body, and answers the identity that what it creates is given.
    async fn create(&self, key: Option<&str>, body: &'static str) -> Uuid {
        let (given, taken) = (Arc::new(Mutex::new(None)), self.call(key).await);
        let take = Arc::clone(&given);
        let answer = taken.once(body, StatusCode::CREATED, async move |_: &Call, id, _| {
            *take.lock().unwrap() = Some(id);
            Ok(1)
        });
        assert_eq!(answer.await.unwrap().status(), StatusCode::CREATED);
        given.lock().unwrap().unwrap()
    }

    fn told(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

fn replayed(response: &HttpResponse) -> bool {
    response.headers().contains_key("idempotency-replayed")
}

#[actix_web::test]
async fn a_client_who_hangs_up_stops_nothing() {
    let world = World::default();
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let call = world.call(Some("one")).await;
    let mut answer = Box::pin(call.once((), StatusCode::CREATED, async move |_, _, ()| {
        waiting.notified().await;
        Ok("done")
    }));
    while world.told.lock().unwrap().is_empty() {
        assert!(answer.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(answer);
    go_on.notify_one();
    world.finished.notified().await;
    assert_eq!(world.told(), ["claim", "finish"]);

    let call = world.call(Some("one")).await;
    let again = call.once((), StatusCode::CREATED, async |_, _, ()| -> Result<(), _> {
        unreachable!("it was carried out")
    });
    assert!(replayed(&again.await.unwrap()));
}

#[actix_web::test]
async fn an_answer_that_cannot_be_kept_is_given_all_the_same() {
    let world = World {
        forgets: true,
        ..World::default()
    };
    let call = world.call(Some("one")).await;
    let answer = call.once((), StatusCode::CREATED, async |_, _, ()| Ok("done"));
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert!(!replayed(&answer));
}

#[actix_web::test]
async fn a_failure_gives_the_key_back() {
    let world = World::default();
    for status in [StatusCode::CONFLICT, StatusCode::SERVICE_UNAVAILABLE] {
        let call = world.call(Some("one")).await;
        let refused = call.once((), StatusCode::CREATED, async move |_, _, ()| {
            Err::<(), _>(Problem::new(status))
        });
        assert_eq!(refused.await.unwrap_err().status(), status);
        assert_eq!(world.told(), ["claim", "release"]);
    }
}

#[actix_web::test]
async fn an_identity_follows_from_the_key_and_the_body() {
    let world = World {
        forgets: true,
        ..World::default()
    };
    let one = world.create(Some("one"), "a").await;
    assert_eq!(one.get_version_num(), 8);
    assert_eq!(world.create(Some("one"), "a").await, one);
    assert_ne!(world.create(Some("one"), "b").await, one);
    assert_ne!(world.create(Some("two"), "a").await, one);
    let fresh = world.create(None, "a").await;
    assert_ne!(world.create(None, "a").await, fresh);
}
