//! What a server does while something it stands on is refused, black-holed or slow, and once that is
//! over.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use archesai_conformance::fault_proxy::{Fault, FaultProxy};
use serde_json::{Value, json};
use tokio::time::interval;

use crate::{
    pipelines::{ended, pipeline, start},
    support::{Answer, Backends, Server, User, eventually},
};

/// What can become of a server.
const FAULTS: [Fault; 3] = [
    Fault::Refuse,
    Fault::BlackHole,
    Fault::Slow {
        latency: Duration::from_secs(3),
        bytes_per_second: 1_000,
    },
];

/// How long an answer may take while something is gone that nothing depends on.
const BRIEF: Duration = Duration::from_secs(2);

/// How long an answer may take while something is gone that it depends on, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(6);

/// How soon all is well again, on a busy machine.
const RECOVERY: Duration = Duration::from_secs(10);

/// A server that reaches one of its back ends through a proxy.
async fn behind(backends: &str, setting: &str) -> (Server, FaultProxy) {
    let backends = Backends::named(backends);
    let proxy = FaultProxy::start(backends.address(setting)).await;
    let backends = backends.through(setting, &proxy.address().to_string());
    // As often as a test likes.
    let settings = [
        ("EMBEDDINGS", "off"),
        ("GUEST_REQUESTS_PER_MINUTE", "1000000"),
    ];
    let server = Server::part("serve", backends, &settings);
    (server, proxy)
}

/// An answer and how long it took.
async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let began = Instant::now();
    (answer.await, began.elapsed())
}

fn brief_steps() -> Value {
    json!({ "steps": [{ "id": "a", "tool": "text.split", "with": { "text": "a" } }] })
}

/// Everything works without it, and soon enough.
async fn nothing_depends_on(backends: &str, setting: &str) {
    let (server, proxy) = behind(backends, setting).await;
    let ada = server.sign_up("ada").await;
    let pipeline = pipeline(&ada.client, brief_steps()).await;
    for (round, fault) in FAULTS.into_iter().enumerate() {
        proxy.set(fault.clone()).await;
        for number in 0..20 {
            let name = format!("{round}-{number}");
            let label = ada.client.post("/v1/labels", json!({ "name": name }));
            let (label, took) = timed(label).await;
            label.expect(201);
            assert!(took < BRIEF, "{fault:?}: {took:?}");
            let (me, took) = timed(ada.client.get("/v1/users/me")).await;
            me.expect(200);
            assert!(took < BRIEF, "{fault:?}: {took:?}");
        }
        let run = start(&ada.client, &pipeline, json!({})).await;
        let run = ended(&ada.client, &run).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        proxy.set(Fault::None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_depends_on_redis() {
    nothing_depends_on("postgres,redis", "REDIS_URL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_depends_on_nats() {
    nothing_depends_on("postgres,nats", "NATS_URL").await;
}

/// What ends while Redis is gone does not come back with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_without_redis_stays_ended() {
    for fault in FAULTS {
        let (server, proxy) = behind("postgres,redis", "REDIS_URL").await;
        let ada = server.sign_up("ada").await;
        ada.client.get("/v1/users/me").await.expect(200);
        proxy.set(fault).await;
        ada.client
            .post("/v1/auth/logout", json!({}))
            .await
            .expect(204);
        ada.client.get("/v1/users/me").await.problem(401);
        proxy.set(Fault::None).await;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            ada.client.get("/v1/users/me").await.problem(401);
        }
    }
}

/// Requests get 503 in time, and work again by themselves.
async fn some_depends_on(backends: &str, setting: &str, ask: impl AsyncFn(&User, &str) -> Answer) {
    let (server, proxy) = behind(backends, setting).await;
    let ada = server.sign_up("ada").await;
    for (round, fault) in FAULTS.into_iter().enumerate() {
        ask(&ada, &format!("{round}-before")).await.expect(201);
        proxy.set(fault.clone()).await;
        for number in 0..3 {
            let name = format!("{round}-{number}");
            let (answer, took) = timed(ask(&ada, &name)).await;
            answer.problem(503);
            assert!(answer.header("retry-after").is_some());
            assert!(took < PATIENCE, "{fault:?}: {took:?}");
        }
        server.guest().get("/healthz").await.expect(200);
        server.guest().get("/readyz").await.expect(503);
        proxy.set(Fault::None).await;
        let works = async || {
            let answer = ask(&ada, &format!("{round}-after")).await;
            [201, 409].contains(&answer.status).then_some(())
        };
        eventually(RECOVERY, works).await;
        let ready = async || (server.guest().get("/readyz").await.status == 200).then_some(());
        eventually(RECOVERY, ready).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_server_says_so_and_recovers() {
    let ask =
        async |ada: &User, name: &str| ada.client.post("/v1/labels", json!({ "name": name })).await;
    some_depends_on("postgres", "DATABASE_URL", ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_storage_a_server_says_so_and_recovers() {
    let ask = async |ada: &User, name: &str| {
        let body = json!({ "name": name, "content": "hello" });
        ada.client.post("/v1/artifacts", body).await
    };
    some_depends_on("postgres,s3", "STORAGE_ENDPOINT", ask).await;
}

/// What was written while the broker was gone is published when it is back: all of it, and what comes
/// twice can be told by its identity.
#[tokio::test(flavor = "multi_thread")]
async fn events_wait_for_their_broker() {
    const WRITES: u32 = 1_000;
    const OUTAGE: Duration = Duration::from_mins(1);
    let backends = Backends::named("postgres,nats");
    let namespace = backends.setting("NAMESPACE").to_owned();
    let broker = backends.setting("NATS_URL").to_owned();
    let proxy = FaultProxy::start(backends.address("NATS_URL")).await;
    let backends = backends.through("NATS_URL", &proxy.address().to_string());
    let server = Server::part("serve", backends, &[("EMBEDDINGS", "off")]);
    let ada = server.sign_up("ada").await;
    proxy.set(Fault::Refuse).await;
    let mut pace = interval(OUTAGE / WRITES);
    for number in 0..WRITES {
        pace.tick().await;
        let name = format!("label {number}");
        let made = ada.client.post("/v1/labels", json!({ "name": name })).await;
        made.expect(201);
    }
    proxy.set(Fault::None).await;

    let client = async_nats::connect(broker).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut made = BTreeSet::new();
    let all = async || {
        let stream = jetstream.get_stream(format!("{namespace}-events")).await;
        let stream = stream.ok()?;
        let last = stream.get_info().await.ok()?.state.last_sequence;
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.ok()?;
            if message.subject.ends_with("label.created") {
                made.insert(message.headers.get("ce-id").unwrap().to_string());
            }
        }
        (made.len() == WRITES as usize).then_some(())
    };
    eventually(Duration::from_secs(30), all).await;
}
