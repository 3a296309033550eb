//! What was acknowledged stays, whatever becomes of the process.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    pipelines::{ended, pipeline, start},
    support::{Client, Server, program},
};

#[tokio::test]
async fn a_run_goes_on_after_kill_9() {
    let mut server = Server::with(&[("EMBEDDINGS", "off"), ("STEP_LEASE", "1s")]);
    let ada = server.sign_up("ada").await;
    let mut steps = vec![
        json!({ "id": "s0", "tool": "json.transform", "with": { "input": 0, "filter": ". + 1" } }),
    ];
    for at in 1..30 {
        let input = format!("{{{{ steps.s{}.output.result }}}}", at - 1);
        steps.push(json!({ "id": format!("s{at}"), "tool": "json.transform", "with": { "input": input, "filter": ". + 1" } }));
    }
    let definition = json!({ "steps": steps, "outputs": { "n": "{{ steps.s29.output.result }}" } });
    let pipeline = pipeline(&ada.client, definition).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        let client = ada.client.at(&server.url);
        runs.push(start(&client, &pipeline, json!({})).await);
        server.kill();
        server.restart();
    }
    let client = ada.client.at(&server.url);
    for run in runs {
        let over = ended(&client, &run).await;
        assert_eq!(
            (&over["status"], &over["output"]["n"]),
            (&json!("succeeded"), &json!(30)),
            "{over}"
        );
    }
}

/// How often the server is killed.
const KILLS: usize = 50;

/// How many clients write meanwhile.
const CLIENTS: u64 = 4;

/// When to ask again.
const AGAIN: Duration = Duration::from_millis(50);

/// How soon a killed server must take requests again.
const READY: Duration = Duration::from_secs(5);

/// Numbers that look random, the same for the same seed: `SplitMix64`
/// (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    /// From `ARCHESAI_TEST_SEED`, or from the time; says which, for a failure to be repeated.
    fn seeded() -> Self {
        let seed = std::env::var("ARCHESAI_TEST_SEED").map(|seed| seed.parse().unwrap());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let seed = seed.unwrap_or(now.into());
        println!("ARCHESAI_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Where the server is at the moment, and whether it is still to be written to.
#[derive(Clone)]
struct Load {
    url: watch::Receiver<String>,
    ended: watch::Receiver<bool>,
    sent: watch::Sender<u64>,
}

/// What the server acknowledged: the name of what was made, and its id.
type Acknowledged = Vec<(String, String)>;

/// What somebody wants made: its name, where, and how.
struct Wish {
    name: String,
    path: String,
    body: Value,
}

impl Wish {
    fn new(name: String, at: u64, pipeline: &str) -> Self {
        let (path, body) = match at % 4 {
            0 => ("/v1/artifacts", json!({ "name": name, "content": name })),
            1 => ("/v1/labels", json!({ "name": name })),
            2 => ("/v1/organizations", json!({ "name": name })),
            _ => (pipeline, json!({ "input": { "name": name } })),
        };
        let path = path.to_owned();
        Self { name, path, body }
    }

    /// Asks for it under a key of its own, as a client does that wants it once, until
    /// the server answers. `None` if it says that it is being made: so it was when the
    /// server was killed, and is now for all that the server knows.
    async fn ask(&self, client: &Client, load: &Load) -> Option<String> {
        let client = client.with("idempotency-key", &self.name);
        let mut url = load.url.clone();
        loop {
            let client = client.at(&url.borrow_and_update());
            load.sent.send_modify(|sent| *sent += 1);
            let request = client.request(Method::POST, &self.path).json(&self.body);
            match client.try_send(request).await {
                Ok(answer) if answer.status == 409 && answer.header("retry-after").is_some() => {
                    return None;
                }
                Ok(answer) if [201, 202].contains(&answer.status) => {
                    return answer.json()["id"].as_str().map(ToOwned::to_owned);
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{}: {answer:?}", self.path),
                // It is killed, and comes back elsewhere.
                Err(_) => _ = tokio::time::timeout(AGAIN, url.changed()).await,
            }
        }
    }
}

/// Makes things for as long as the load lasts, and insists on each.
async fn write(client: Client, number: u64, pipeline: String, load: Load) -> Acknowledged {
    let (mut acknowledged, mut open) = (Vec::new(), Vec::new());
    for at in 0.. {
        if *load.ended.borrow() {
            break;
        }
        let wish = Wish::new(format!("{number}-{at}"), at, &pipeline);
        match wish.ask(&client, &load).await {
            Some(id) => acknowledged.push((wish.name, id)),
            None => open.push(wish),
        }
    }
    let started = Instant::now();
    while let Some(wish) = open.pop() {
        if let Some(id) = wish.ask(&client, &load).await {
            acknowledged.push((wish.name, id));
            continue;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{}", wish.name);
        open.push(wish);
        tokio::time::sleep(AGAIN).await;
    }
    acknowledged
}

/// Every item of a list: its name and its id.
async fn all(client: &Client, path: &str) -> Acknowledged {
    let mut items = Vec::new();
    let mut next = format!("{path}?limit=100");
    loop {
        let page = client.get(&next).await.expect(200);
        for item in page["data"].as_array().unwrap() {
            let name = [&item["name"], &item["input"]["name"]];
            let name = name.iter().find_map(|name| name.as_str()).unwrap();
            items.push((name.to_owned(), item["id"].as_str().unwrap().to_owned()));
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            return items;
        };
        next = format!("{path}?limit=100&cursor={cursor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_kept_once_through_fifty_kills() {
    let mut random = Random::seeded();
    let mut server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("STEP_LEASE", "1s"),
        ("WORKER_CONCURRENCY", "1"),
    ]);
    let ada = server.sign_up("ada").await;
    let definition = json!({
        "inputs": { "name": { "type": "string" } },
        "steps": [
            { "id": "a", "tool": "json.transform", "with": { "input": "{{ inputs.name }}", "filter": "." } },
            { "id": "b", "tool": "json.transform", "with": { "input": "{{ steps.a.output.result }}", "filter": "." } },
        ],
        "outputs": { "name": "{{ steps.b.output.result }}" },
    });
    let pipeline = format!("{}/runs", pipeline(&ada.client, definition).await);
    let (moved, url) = watch::channel(server.url.clone());
    let (end, ended_flag) = watch::channel(false);
    let sent = watch::Sender::new(0);
    let load = Load {
        url,
        ended: ended_flag,
        sent: sent.clone(),
    };
    let writers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            tokio::spawn(write(
                ada.client.clone(),
                number,
                pipeline.clone(),
                load.clone(),
            ))
        })
        .collect();

    for _ in 0..KILLS {
        // In the midst of some request or other, and at some moment of it.
        let target = *sent.borrow() + 1 + random.below(3 * CLIENTS);
        sent.subscribe()
            .wait_for(|sent| *sent >= target)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        let killed = Instant::now();
        server.kill();
        server.restart();
        assert_eq!(server.guest().get("/readyz").await.status, 200);
        assert!(killed.elapsed() < READY, "{:?}", killed.elapsed());
        moved.send_replace(server.url.clone());
    }
    end.send_replace(true);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() > KILLS, "{}", acknowledged.len());

    let client = ada.client.at(&server.url);
    let mut kept = Vec::new();
    for list in [
        "/v1/artifacts",
        "/v1/labels",
        "/v1/organizations",
        "/v1/runs",
    ] {
        kept.extend(all(&client, list).await);
    }
    // Beside the one that everybody begins with.
    kept.retain(|(_, id)| *id != ada.organization);
    acknowledged.sort();
    kept.sort();
    assert_eq!(kept, acknowledged);
    let (mut done, mut lost) = (0, 0);
    for (name, id) in all(&client, "/v1/runs").await {
        let over = ended(&client, &format!("/v1/runs/{id}")).await;
        // A step that three workers were lost with is given up on: it might be why.
        if over["error"]["code"] == "worker_lost" {
            lost += 1;
        } else {
            assert_eq!(over["output"]["name"], name, "{over}");
            done += 1;
        }
    }
    // No worker was lost but by a kill, and each with one step at most.
    assert!(
        done > 0 && 3 * lost <= KILLS,
        "{done} ended well, {lost} were given up"
    );
}

#[tokio::test]
async fn the_server_stops_when_told_and_ends_what_it_does() {
    let mut server = Server::start();
    let ada = server.sign_up("ada").await;
    let definition =
        json!({ "steps": [{ "id": "wait", "tool": "time.sleep", "with": { "seconds": 3600 } }] });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let watching = ada
        .client
        .request(reqwest::Method::GET, &format!("{run}/events"))
        .send()
        .await;
    let started = Instant::now();
    assert!(server.terminate());
    assert!(started.elapsed() < Duration::from_secs(10));
    drop(watching);
}

#[tokio::test]
async fn one_folder_is_for_one_server() {
    // Of the embedded database that is; processes on Postgres may share one.
    let server = Server::embedded();
    let second = program()
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(server.folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(
        said.contains("another archesai uses the data folder"),
        "{said}"
    );
}
