//! Searching on a replica of Postgres, and without it.

use std::time::{Duration, Instant};

use archesai_conformance::{
    fault_proxy::{Fault, FaultProxy},
    servers::Replica,
};
use serde_json::json;

use crate::{
    content::indexed,
    support::{Backends, Server, User, eventually},
};

/// Within what time a replica is read that is well, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long a search may take, whatever becomes of the replica, on a busy machine.
const BRIEF: Duration = Duration::from_secs(3);

/// A server whose replica is behind a proxy.
struct Distant {
    server: Server,
    proxy: FaultProxy,
    ada: User,
}

impl Distant {
    async fn start() -> Self {
        let backends = Backends::named("postgres,replica");
        let setting = "DATABASE_REPLICA_URLS";
        let proxy = FaultProxy::start(backends.address(setting)).await;
        let backends = backends.through(setting, &proxy.address().to_string());
        let settings = [
            ("EMBEDDINGS", "off"),
            ("DATABASE_REPLICA_MAX_LAG", "1h"),
            ("GUEST_REQUESTS_PER_MINUTE", "1000000"),
        ];
        let server = Server::part("serve", backends, &settings);
        let ada = server.sign_up("ada").await;
        Self { server, proxy, ada }
    }

    async fn hits(&self, query: &str) -> usize {
        let body = json!({ "query": query, "mode": "keyword" });
        let began = Instant::now();
        let found = self.ada.client.post("/v1/search", body).await.expect(200);
        assert!(began.elapsed() < BRIEF, "{:?}", began.elapsed());
        found["data"].as_array().unwrap().len()
    }

    async fn upload(&self, text: &str) {
        let body = json!({ "name": "a.txt", "content": text });
        let artifact = self.ada.client.post("/v1/artifacts", body).await;
        indexed(&self.ada.client, &artifact.expect(201)).await;
    }

    /// Waits until `/readyz`, which never says that the server cannot work, says this of the replica.
    async fn says(&self, state: &str) {
        let line = format!("\ndatabase replica 1: {state}\n");
        let says = async || {
            let ready = self.server.guest().get("/readyz").await;
            assert_eq!(ready.status, 200);
            let lines = String::from_utf8(ready.bytes).unwrap();
            lines.contains(&line).then_some(())
        };
        eventually(SOON, says).await;
    }

    /// How many calls have had a connection to a replica.
    async fn calls(&self) -> u64 {
        let metrics = self.server.guest().get("/metrics").await;
        let text = String::from_utf8(metrics.bytes).unwrap();
        let start = "archesai_database_wait_seconds_count{pool=\"replica\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(start));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_to_the_replica_and_does_without() {
    let _turn = Replica::among_others().await;
    let distant = Distant::start().await;
    distant.upload("The quick brown fox").await;
    distant.says("ok").await;
    eventually(SOON, async || {
        (distant.hits("fox").await == 1).then_some(())
    })
    .await;
    let before = distant.calls().await;
    for _ in 0..10 {
        assert_eq!(distant.hits("fox").await, 1);
    }
    assert!(distant.calls().await >= before + 10);

    for fault in [Fault::Refuse, Fault::BlackHole] {
        distant.proxy.set(fault).await;
        for _ in 0..30 {
            assert_eq!(distant.hits("fox").await, 1);
        }
        distant.says("passed over, unavailable").await;
        // As long as it is gone, nobody tries.
        let before = distant.calls().await;
        for _ in 0..10 {
            assert_eq!(distant.hits("fox").await, 1);
        }
        assert_eq!(distant.calls().await, before);
        distant.proxy.set(Fault::None).await;
        distant.says("ok").await;
        assert_eq!(distant.hits("fox").await, 1);
    }
    // As when it is started again and again.
    for _ in 0..20 {
        distant.proxy.reset();
        assert_eq!(distant.hits("fox").await, 1);
    }
}

/// What nobody may miss is read where it is written, however far behind a replica is.
#[tokio::test(flavor = "multi_thread")]
async fn only_searches_lag() {
    let turn = Replica::alone().await;
    let distant = Distant::start().await;
    distant.upload("The quick brown fox").await;
    distant.says("ok").await;
    eventually(SOON, async || {
        (distant.hits("fox").await == 1).then_some(())
    })
    .await;
    turn.pause().await;
    distant.upload("The lazy dog").await;
    assert_eq!(distant.hits("dog").await, 0);
    assert_eq!(distant.hits("fox").await, 1);
    let label = distant
        .ada
        .client
        .post("/v1/labels", json!({ "name": "new" }));
    label.await.expect(201);
    let labels = distant.ada.client.get("/v1/labels").await.expect(200);
    assert_eq!(labels["data"].as_array().unwrap().len(), 1);
    let bob = distant.server.sign_up("bob").await;
    let guest = distant.server.guest();
    let bob = distant.ada.bring_in(&guest, &bob, "viewer").await;
    bob.client.get("/v1/labels").await.expect(200);
    bob.client
        .post("/v1/labels", json!({ "name": "b" }))
        .await
        .problem(403);
    let out = distant.ada.client.post("/v1/auth/logout", json!({})).await;
    out.expect(204);
    let gone = distant
        .ada
        .client
        .post("/v1/search", json!({ "query": "fox" }));
    gone.await.problem(401);
    turn.resume().await;
    let found = async || {
        let found = bob
            .client
            .post("/v1/search", json!({ "query": "dog" }))
            .await;
        (found.expect(200)["data"].as_array().unwrap().len() == 1).then_some(())
    };
    eventually(SOON, found).await;
}
