//! The workflows domain with its HTTP API, in one process and in memory.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use actix_web::{App, test, web};
use archesai_auth::Identity;
use archesai_http::{
    Gate, Guesses, Identities, Live, Problem, Room, Settings,
    erased::{AnyIdempotencyKeys, AnyRateLimiter},
    generated::workflows::routes,
    handlers::Workflows,
};
use archesai_organizations::Role;
use archesai_platform::{
    Result as PlatformResult,
    events::{History, LoggedEvent, Subscriber, Subscription},
    idempotency::{Claim, IdempotencyKeys, RequestKey},
    limits::{Decision, Quota, RateLimiter},
    vault::{Opening, Vault},
};
use archesai_workflows::{
    Actor, Adapters, Cancellation, Definitions, Invocation, Json, Log, LogEntry, LogLevel,
    NewPipeline, OrganizationId, Outcome, PipelineId, Prepared, RunId, Service, ToolError,
    ToolSpec, UserId, Violation, WorkerId,
    ports::{Toolbox, Wakeups},
};
use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::client::Reader;
use crate::{
    expressions::{AtOnce, Paths},
    store::MemoryStore,
};

const ORGANIZATION: u128 = 7;
const ME: Actor = Actor {
    organization_id: OrganizationId(ORGANIZATION),
    user_id: UserId(1),
};

/// One tool, `say`, which logs what it is to say.
pub(crate) struct Speaker(Vec<ToolSpec>);

impl Toolbox for Speaker {
    fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    fn check(&self, _tool: &str, _input: &Json) -> Vec<Violation> {
        Vec::new()
    }

    async fn call(&self, call: Invocation<'_>) -> Result<Outcome, ToolError> {
        let text = call.input.get("text").and_then(Json::as_text);
        match text.unwrap_or_default() {
            "fail" => return Err(ToolError::permanent("scripted", "as told")),
            "much" => (0..250).for_each(|at| call.log.write(LogLevel::Debug, &at.to_string())),
            text => call.log.write(LogLevel::Info, text),
        }
        Ok(Outcome::Done(Json::Null))
    }
}

/// Takes down what a tool tells.
#[derive(Default)]
struct Notes {
    clock: Plain,
    entries: Mutex<Vec<LogEntry>>,
}

impl Log for Notes {
    fn write(&self, level: LogLevel, message: &str) {
        self.entries.lock().unwrap().push(LogEntry {
            at: self.clock.time(),
            level,
            message: message.to_owned(),
        });
    }
}

impl Cancellation for Notes {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

struct Test;

impl Adapters for Test {
    type Store = MemoryStore;
    type Toolbox = Speaker;
    type Expressions = Paths;
}

/// Clock, ids, limiter, keys and vault of no consequence. Every look at the
/// clock is a millisecond later than the one before.
#[derive(Clone, Default)]
struct Plain(Arc<AtomicU64>);

impl Plain {
    fn count(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn time(&self) -> SystemTime {
        let ticks = self.0.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_millis(ticks)
    }
}

impl archesai_workflows::Clock for Plain {
    fn now(&self) -> SystemTime {
        self.time()
    }
}

impl archesai_workflows::Ids for Plain {
    fn next(&self) -> u128 {
        self.count()
    }
}

impl archesai_platform::system::Clock for Plain {
    fn now(&self) -> SystemTime {
        self.time()
    }
}

impl archesai_platform::system::Ids for Plain {
    fn next(&self) -> u128 {
        self.count()
    }
}

impl Wakeups for Plain {
    fn wake(&self) {}
}

impl RateLimiter for Plain {
    async fn check(&self, _quota: &Quota, _subject: &str) -> PlatformResult<Decision> {
        Ok(Decision {
            allowed: true,
            remaining: 1,
            retry_after: Duration::ZERO,
        })
    }
}

impl IdempotencyKeys for Plain {
    async fn claim(
        &self,
        _key: &RequestKey,
        _fingerprint: &[u8; 32],
        _now: SystemTime,
        _lease: Duration,
    ) -> PlatformResult<Claim> {
        Ok(Claim::Ours)
    }

    async fn finish(&self, _: &RequestKey, _: SystemTime, _: &[u8]) -> PlatformResult<()> {
        Ok(())
    }

    async fn release(&self, _: &RequestKey, _: SystemTime) -> PlatformResult<()> {
        Ok(())
    }

    async fn sweep(&self, _before: SystemTime) -> PlatformResult<u64> {
        Ok(0)
    }
}

impl Vault for Plain {
    fn mac(&self, _context: &[u8], _bytes: &[u8]) -> archesai_platform::Result<[u8; 32]> {
        Ok([0; 32])
    }

    fn seal(&self, _context: &[u8], plain: &[u8]) -> PlatformResult<Vec<u8>> {
        Ok(plain.to_vec())
    }

    fn open<'a>(&'a self, _context: &'a [u8], sealed: &'a [u8]) -> Opening<'a> {
        Box::pin(async { Ok(sealed.to_vec()) })
    }
}

/// Takes a token for the number of the organization that its bearer works in.
#[derive(Default)]
struct Tokens {
    revoked: AtomicBool,
}

#[async_trait]
impl Identities for Tokens {
    async fn identify(&self, token: &str) -> Result<Identity, Problem> {
        if self.revoked.load(Ordering::Relaxed) {
            return Err(Problem::unauthorized("revoked"));
        }
        Ok(Identity {
            user_id: archesai_auth::UserId(1),
            organization_id: archesai_auth::OrganizationId(token.parse().unwrap()),
            session_id: Some(archesai_auth::SessionId(1)),
            api_key_id: None,
            scopes: None,
        })
    }

    async fn role(
        &self,
        _organization: archesai_organizations::OrganizationId,
        _user: archesai_organizations::UserId,
    ) -> Result<Option<Role>, Problem> {
        Ok(Some(Role::Viewer))
    }
}

/// The events of the store as a log.
struct Logged(MemoryStore);

impl History for Logged {
    async fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> PlatformResult<Vec<LoggedEvent>> {
        let events = self.0.events().await;
        let logged = (1..).zip(events).map(|(sequence, recorded)| LoggedEvent {
            sequence,
            id: recorded.id,
            organization_id: recorded.organization_id.map(|id| id.0),
            actor_id: recorded.actor_id.map(|id| id.0),
            aggregate_kind: recorded.event.aggregate().0.to_owned(),
            aggregate_id: recorded.event.aggregate().1,
            kind: recorded.event.kind().to_owned(),
            payload: serde_json::to_string(&recorded.event).unwrap(),
            occurred_at: recorded.occurred_at,
        });
        let wanted = logged.filter(|event| {
            event.organization_id == Some(organization)
                && (event.aggregate_kind.as_str(), event.aggregate_id) == aggregate
                && event.sequence > after
        });
        Ok(wanted.take(limit as usize).collect())
    }
}

/// Whether what happens is published.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Bus {
    Loud,
    Silent,
}

struct Listeners(broadcast::Sender<LoggedEvent>);

struct Listener(broadcast::Receiver<LoggedEvent>);

impl Subscriber for Listeners {
    type Subscription = Listener;

    fn subscribe(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Subscription for Listener {
    async fn next(&mut self) -> Option<LoggedEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(_) => std::future::pending().await,
        }
    }
}

/// All of it, with at most two streams at once.
pub(crate) struct World {
    service: Arc<Service<Test>>,
    pub(crate) live: Arc<Live>,
    tokens: Arc<Tokens>,
    plain: Plain,
    gate: web::Data<Gate>,
    bus: Bus,
    listeners: Listeners,
    pipelines: Mutex<Vec<PipelineId>>,
}

impl World {
    pub(crate) fn new(bus: Bus, poll: Duration, heartbeat: Duration) -> Self {
        let plain = Plain::default();
        let store = MemoryStore::default();
        let service = Service {
            store: store.clone(),
            toolbox: Arc::new(Speaker(vec![ToolSpec {
                name: "say".to_owned(),
                description: "logs a text".to_owned(),
                input_schema: Json::Object(BTreeMap::new()),
                output_schema: Json::Object(BTreeMap::new()),
            }])),
            expressions: Arc::new(Paths),
            pool: Arc::new(AtOnce),
            wakeups: Arc::new(plain.clone()),
            clock: Arc::new(plain.clone()),
            ids: Arc::new(plain.clone()),
            definitions: Definitions::default(),
            settings: archesai_workflows::Settings::default(),
        };
        let listeners = Listeners(broadcast::Sender::new(16));
        let tokens = Arc::new(Tokens::default());
        let gate = Gate {
            identities: Arc::clone(&tokens) as Arc<dyn Identities>,
            limiter: AnyRateLimiter::new(plain.clone()),
            idempotency: AnyIdempotencyKeys::new(plain.clone()),
            vault: Arc::new(plain.clone()),
            clock: Arc::new(plain.clone()),
            ids: Arc::new(plain.clone()),
            guesses: Guesses::default(),
            room: Room::new(usize::MAX, usize::MAX),
            stopping: Arc::new(|| false),
            settings: Settings {
                stream_poll: poll,
                stream_heartbeat: heartbeat,
                ..Settings::default()
            },
        };
        Self {
            service: Arc::new(service),
            live: Arc::new(Live::start(Logged(store), &listeners, 2)),
            tokens,
            plain,
            gate: web::Data::new(gate),
            bus,
            listeners,
            pipelines: Mutex::default(),
        }
    }

    /// Starts a run whose steps, `first` and `second`, say these texts.
    pub(crate) async fn start(&self, texts: &[&str]) -> RunId {
        let steps = texts.iter().zip(["first", "second"]).map(|(text, id)| {
            let needs = if id == "second" {
                r#", "needs": ["first"]"#
            } else {
                ""
            };
            format!(r#"{{"id": "{id}", "tool": "say", "with": {{"text": "{text}"}}{needs}}}"#)
        });
        let steps: Vec<_> = steps.collect();
        let definition = format!(r#"{{"steps": [{}]}}"#, steps.join(","));
        let new = NewPipeline {
            id: PipelineId(self.plain.count()),
            name: "p".to_owned(),
            description: None,
            definition: serde_json::from_str(&definition).unwrap(),
        };
        let pipeline = self.service.create_pipeline(ME, new).await.unwrap();
        self.pipelines.lock().unwrap().push(pipeline.id);
        let input = Json::Object(BTreeMap::new());
        self.service
            .start_run(ME, RunId(self.plain.count()), pipeline.id, &input)
            .await
            .unwrap()
            .id
    }

    pub(crate) async fn delete_pipelines(&self) {
        let pipelines = std::mem::take(&mut *self.pipelines.lock().unwrap());
        for pipeline in pipelines {
            let deleted = self.service.delete_pipeline(ME, pipeline, None);
            deleted.await.unwrap();
        }
    }

    /// Runs every step there is to run.
    pub(crate) async fn work_all(&self) {
        while let Some(claim) = self.service.claim(WorkerId(1), 1).await.unwrap().pop() {
            let mut next = Some(claim);
            while let Some(claim) = next {
                next = match self.service.prepare(&claim).await.unwrap() {
                    Prepared::Ended(next) => next,
                    Prepared::Call(call) => {
                        let notes = Notes {
                            clock: self.plain.clone(),
                            ..Notes::default()
                        };
                        let result = self.service.call(&call, &notes, &notes).await;
                        let notes = notes.entries.into_inner().unwrap();
                        self.service.append_logs(&claim, notes).await.unwrap();
                        self.service.finish(&call, result).await.unwrap()
                    }
                };
                self.publish(claim.run.id);
                tokio::task::yield_now().await;
            }
        }
    }

    fn publish(&self, run: RunId) {
        if self.bus == Bus::Loud {
            _ = self.listeners.0.send(LoggedEvent {
                sequence: 0,
                id: 0,
                organization_id: Some(ORGANIZATION),
                actor_id: None,
                aggregate_kind: "run".to_owned(),
                aggregate_id: run.0,
                kind: "run.progressed".to_owned(),
                payload: "{}".to_owned(),
                occurred_at: SystemTime::UNIX_EPOCH,
            });
        }
    }

    /// Takes every credential back.
    pub(crate) fn revoke(&self) {
        self.tokens.revoked.store(true, Ordering::Relaxed);
    }

    /// Watches a run, after an event if one is named.
    pub(crate) async fn watch(&self, run: RunId, after: Option<&str>) -> Reader {
        self.get(ORGANIZATION, run, after).await
    }

    /// Watches a run as a member of another organization.
    pub(crate) async fn watch_as(&self, organization: u128, run: RunId) -> Reader {
        self.get(organization, run, None).await
    }

    async fn get(&self, organization: u128, run: RunId, after: Option<&str>) -> Reader {
        let api = Workflows {
            workflows: Arc::clone(&self.service),
            live: Arc::clone(&self.live),
        };
        let app = App::new()
            .app_data(self.gate.clone())
            .app_data(web::Data::new(api))
            .configure(routes::<Workflows<Test>>);
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::get()
            .uri(&format!("/v1/runs/{}/events", Uuid::from_u128(run.0)))
            .insert_header(("authorization", format!("Bearer {organization}")));
        if let Some(after) = after {
            request = request.insert_header(("last-event-id", after));
        }
        Reader::new(test::call_service(&app, request.to_request()).await)
    }
}
