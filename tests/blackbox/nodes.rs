//! Several processes on the same back ends: whatever one does the others know.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    content::indexed,
    pipelines::{ended, events, pipeline, start},
    support::{Backends, Client, Server, User, eventually},
};

/// Within what time a change counts on every node.
const KNOWN: Duration = Duration::from_secs(1);

/// What carries events, and where caches are: each way that nodes can hear of each other.
const WAYS: [&str; 4] = [
    "postgres,s3",
    "postgres,redis,s3",
    "postgres,nats,s3",
    "postgres,redis,nats,s3",
];

/// Two processes that answer requests, and as many workers.
struct System {
    one: Server,
    two: Server,
    workers: Vec<Server>,
}

impl System {
    fn start(backends: &str) -> Self {
        let settings = [("EMBEDDINGS", "off"), ("STEP_LEASE", "2s")];
        let one = Server::part("api", Backends::named(backends), &settings);
        Self {
            two: one.beside("api"),
            workers: (0..2).map(|_| one.beside("worker")).collect(),
            one,
        }
    }

    /// The same client, at the other process.
    fn elsewhere(&self, client: &Client) -> Client {
        client.at(&self.two.url)
    }
}

/// Seconds that a run of one step sleeps without a worker.
fn sleeping(seconds: f64) -> Value {
    json!({ "steps": [
        { "id": "sleep", "tool": "time.sleep", "with": { "seconds": seconds } },
        { "id": "split", "tool": "text.split", "needs": ["sleep"], "with": { "text": "a" } },
    ] })
}

/// Waits until the other process refuses what the first one ended.
async fn refused_elsewhere(client: &Client, within: Duration) {
    let began = Instant::now();
    loop {
        let status = client.get("/v1/users/me").await.status;
        if status == 401 {
            return;
        }
        assert_eq!(status, 200);
        assert!(began.elapsed() < within, "it still counts elsewhere");
    }
}

async fn what_one_does_the_others_know(backends: &str) {
    let system = System::start(backends);
    let ada = system.one.sign_up("ada").await;
    let there = system.elsewhere(&ada.client);

    // What is uploaded here is read there, and made searchable by a worker.
    let body = json!({ "name": "a.txt", "content": "The quick brown fox" });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&there, &artifact).await;
    let path = format!("/v1/artifacts/{}", artifact["id"].as_str().unwrap());
    let content = there.get(&format!("{path}/content")).await;
    assert_eq!(content.bytes, b"The quick brown fox");

    // What is started here is watched there to its end, wherever it is run.
    let pipeline = pipeline(&ada.client, sleeping(0.2)).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let response = there.request(Method::GET, &format!("{run}/events"));
    let mut stream = response.send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while let Some(bytes) = stream.next().await {
        text += std::str::from_utf8(&bytes.unwrap()).unwrap();
    }
    let last = events(&text).pop().unwrap();
    assert_eq!(last.2["status"], "succeeded", "{text}");

    // What is changed here is changed there.
    there.get(&path).await.expect(200);
    let changed = ada.client.patch(&path, json!({ "name": "b.txt" })).await;
    changed.expect(200);
    let renamed = async || (there.get(&path).await.json()["name"] == "b.txt").then_some(());
    eventually(KNOWN, renamed).await;

    // A role that is taken away is gone everywhere, and so is a session.
    let bob = system.one.sign_up("bob").await;
    let bob = ada.bring_in(&system.one.guest(), &bob, "member").await;
    let bob_there = system.elsewhere(&bob.client);
    demoted_elsewhere(&ada, &bob, &bob_there).await;
    there.get("/v1/users/me").await.expect(200);
    ada.client
        .post("/v1/auth/logout", json!({}))
        .await
        .expect(204);
    refused_elsewhere(&there, KNOWN).await;
}

async fn demoted_elsewhere(ada: &User, bob: &User, bob_there: &Client) {
    let label = |name: &str| bob_there.post("/v1/labels", json!({ "name": name }));
    label("before").await.expect(201);
    let members = format!("/v1/organizations/{}/members", ada.organization);
    let all = ada.client.get(&members).await.expect(200);
    let of_bob = |member: &&Value| member["user_id"] == bob.tokens["user"]["id"];
    let member = all["data"].as_array().unwrap().iter().find(of_bob).unwrap();
    let member = format!("{members}/{}", member["id"].as_str().unwrap());
    let changed = ada.client.patch(&member, json!({ "role": "viewer" })).await;
    changed.expect(200);
    let began = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let status = label(&number.to_string()).await.status;
        if status == 403 {
            return;
        }
        assert_eq!(status, 201);
        assert!(
            began.elapsed() < KNOWN,
            "the old role still counts elsewhere"
        );
    }
}

#[tokio::test]
async fn by_the_database_alone() {
    what_one_does_the_others_know(WAYS[0]).await;
}

#[tokio::test]
async fn by_redis() {
    what_one_does_the_others_know(WAYS[1]).await;
}

#[tokio::test]
async fn by_nats() {
    what_one_does_the_others_know(WAYS[2]).await;
}

#[tokio::test]
async fn by_everything() {
    what_one_does_the_others_know(WAYS[3]).await;
}

/// A worker that is killed, whichever it is, loses nothing: the other takes its steps over, and
/// publishes what happens.
#[tokio::test]
async fn a_worker_that_is_killed_is_followed_by_the_other() {
    for victim in 0..2 {
        let mut system = System::start(WAYS[0]);
        let ada = system.one.sign_up("ada").await;
        let pipeline = pipeline(
            &ada.client,
            json!({ "steps": [
                { "id": "many", "tool": "text.split", "for_each": (0..400).collect::<Vec<_>>(),
                  "with": { "text": "some text" } },
                { "id": "last", "tool": "text.split", "needs": ["many"], "with": { "text": "a" } },
            ] }),
        )
        .await;
        let runs = [(); 3].map(|()| start(&ada.client, &pipeline, json!({})));
        let runs = futures_util::future::join_all(runs).await;
        let begun = async || {
            let run = ada.client.get(&runs[0]).await.json();
            (run["status"] != "queued").then_some(())
        };
        eventually(Duration::from_secs(20), begun).await;
        system.workers[victim].kill();
        for run in &runs {
            let run = ended(&system.elsewhere(&ada.client), run).await;
            assert_eq!(run["status"], "succeeded", "{run}");
        }
    }
}

/// A session that was asked for before is not looked up again, as long as nothing happens to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_known_without_the_database() {
    const REQUESTS: u64 = 1_000;
    let server = Server::part("api", Backends::named("postgres"), &[("EMBEDDINGS", "off")]);
    let ada = server.sign_up("ada").await;
    ada.client.get("/v1/users/me").await.expect(200);
    let before = questions(&server).await;
    for _ in 0..REQUESTS {
        ada.client.get("/v1/users/me").await.expect(200);
    }
    // It looks at the log meanwhile, several times a second.
    let asked = questions(&server).await - before;
    assert!(asked < REQUESTS / 4, "{asked} questions");
}

/// How often a connection to the database was taken.
async fn questions(server: &Server) -> u64 {
    let metrics = server.guest().get("/metrics").await;
    metrics.expect(200);
    let text = String::from_utf8(metrics.bytes).unwrap();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("archesai_database_wait_seconds_count"));
    let count = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    counts.filter_map(count).sum()
}
