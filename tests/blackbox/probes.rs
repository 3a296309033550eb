//! What an operator sees: whether the server is alive and ready, its metrics, its log.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    content::indexed,
    pipelines::{ended, pipeline, start},
    support::{Answer, Client, Server, eventually, root},
};

/// Metrics by name: what each is, and its labels.
type Metrics = BTreeMap<String, (String, String)>;

/// What `/metrics` serves. Labels are those that any of its lines has.
fn served(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            metrics.insert(name.to_owned(), (kind.to_owned(), String::new()));
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        let known = base
            .filter(|base| metrics.contains_key(*base))
            .unwrap_or(name);
        let pairs = rest.split('}').next().unwrap().split("\",");
        let labels = pairs.filter_map(|pair| pair.split_once('=').map(|(label, _)| label));
        let mut labels: Vec<_> = labels.filter(|label| *label != "le").collect();
        labels.sort_unstable();
        metrics.get_mut(known).unwrap().1 = labels.join(", ");
    }
    metrics
}

/// What `docs/metrics.md` lists.
fn documented() -> Metrics {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `archesai_"));
    let cell = |cell: &str| cell.replace('`', "").trim().to_owned();
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(cell).collect();
        (cells[1].clone(), (cells[2].clone(), cells[3].clone()))
    })
    .collect()
}

/// Does a little of everything.
async fn work(server: &Server) -> (Client, Value) {
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "a.txt", "content": "hello" });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&ada.client, &artifact).await;
    let definition = json!({ "steps": [
        { "id": "good", "tool": "text.split", "with": { "text": "a" } },
        { "id": "bad", "tool": "text.extract", "needs": ["good"], "with": { "artifact_id": "01890a5d-ac96-774b-bcce-b302099a8057" } },
    ] });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let run = ended(&ada.client, &run).await;
    (ada.client, run)
}

#[tokio::test]
async fn metrics_are_as_the_document_says() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("GUEST_REQUESTS_PER_MINUTE", "2")]);
    let guest = server.guest();
    work(&server).await;
    guest.get("/v1/users/me").await.problem(401);
    guest.get("/v1/users/me").await.problem(429);
    let answer = guest.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = String::from_utf8(answer.bytes).unwrap();
    assert_eq!(served(&text), documented(), "{text}");

    let line = |start: &str, end: &str| {
        let found = text
            .lines()
            .find(|line| line.starts_with(start) && line.ends_with(end));
        assert!(found.is_some(), "{start} … {end} in {text}");
    };
    line(
        "archesai_http_requests_total{operation=\"register\",status=\"201\"}",
        " 1",
    );
    line(
        "archesai_http_request_duration_seconds_bucket{operation=\"register\",le=\"+Inf\"}",
        " 1",
    );
    line("archesai_rate_limited_total{quota=\"guest\"}", " 1");
    line(
        "archesai_step_duration_seconds_count{tool=\"text.split\",outcome=\"succeeded\"}",
        " 1",
    );
    line(
        "archesai_step_duration_seconds_count{tool=\"text.extract\",outcome=\"failed\"}",
        " 1",
    );
    line("archesai_queue_length{queue=\"steps\"}", " 0");
    line("archesai_http_requests_shed_total", " 0");
    // Whose requests they are nobody may tell from it.
    assert!(!text.contains("ada"), "{text}");
}

#[tokio::test]
async fn what_waits_for_its_time_waits_for_no_worker() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let gauge = async |name: &str| -> f64 {
        let answer = server.guest().get("/metrics").await;
        let text = String::from_utf8(answer.bytes).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let definition =
        json!({ "steps": [{ "id": "a", "tool": "time.sleep", "with": { "seconds": 3600 } }] });
    let path = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &path, json!({})).await;
    eventually(Duration::from_mins(1), async || {
        let found = ada.client.get(&run).await.expect(200);
        (found["status"] == "waiting").then_some(())
    })
    .await;
    assert!(gauge("archesai_queue_length{queue=\"steps\"}").await < 1.0);
    assert!(gauge("archesai_queue_age_seconds{queue=\"steps\"}").await < 1.0);
}

#[tokio::test]
async fn metrics_are_told_to_those_they_are_for() {
    let server = Server::start();
    let guest = server.guest();
    guest.get("/metrics").await.expect(200);
    // What comes through a proxy comes from anywhere.
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        guest
            .with(header, "192.0.2.1")
            .get("/metrics")
            .await
            .problem(403);
    }
    let ada = server.sign_up("ada").await;
    let forwarded = ada.client.with("x-forwarded-for", "127.0.0.1");
    forwarded.get("/metrics").await.problem(403);

    let server = Server::with(&[("EMBEDDINGS", "off"), ("METRICS_TOKEN", "scrape me")]);
    let guest = server.guest();
    guest.get("/metrics").await.problem(401);
    guest.bearing("scrape").get("/metrics").await.problem(401);
    let ada = server.sign_up("ada").await;
    ada.client.get("/metrics").await.problem(401);
    let prometheus = guest
        .bearing("scrape me")
        .with("x-forwarded-for", "192.0.2.1");
    prometheus.get("/metrics").await.expect(200);
    assert!(!server.log().contains("scrape me"));
}

#[tokio::test]
async fn a_server_without_its_database_is_alive_and_not_ready() {
    let server = Server::start();
    let guest = server.guest();
    let ready = guest.get("/readyz").await;
    assert_eq!(ready.status, 200);
    let lines = |ready: Answer| String::from_utf8(ready.bytes).unwrap();
    assert!(lines(ready).starts_with("server: ok\ndatabase: ok\n"));
    server.have_database(false);
    let ready = guest.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(lines(ready).starts_with("server: ok\ndatabase: unavailable\n"));
    guest.get("/healthz").await.expect(200);
    // What it cannot tell it leaves out.
    guest.get("/metrics").await.expect(200);
    server.have_database(true);
    let ready = async || (guest.get("/readyz").await.status == 200).then_some(());
    eventually(Duration::from_secs(5), ready).await;
}

/// The lines of a log that say something, as JSON.
fn lines(server: &Server, message: &str) -> Vec<Value> {
    let log = server.log();
    let lines = log.lines().map(|line| {
        let parsed = serde_json::from_str::<Value>(line);
        parsed.unwrap_or_else(|error| panic!("{error} in {line}"))
    });
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test]
async fn every_request_and_every_attempt_at_a_step_has_its_line_in_the_log() {
    let server = Server::start();
    let (client, run) = work(&server).await;
    let named = client.with("x-request-id", "look-for-me");
    let me = named.get("/v1/users/me").await.expect(200);
    named.get("/nowhere?token=secret").await.problem(404);

    let requests = lines(&server, "request");
    let of: Vec<_> = requests
        .iter()
        .filter(|line| line["request_id"] == "look-for-me")
        .collect();
    let [known, unknown] = of[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(known["action"], "get_me");
    assert_eq!(known["user_id"], me["id"]);
    assert_eq!(known["method"], "GET");
    assert_eq!(known["path"], "/v1/users/me");
    assert_eq!(known["status"], 200);
    assert!(known["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(
        (&unknown["action"], &unknown["status"]),
        (&json!("none"), &json!(404))
    );
    assert_eq!(unknown["path"], "/nowhere");
    assert!(requests.iter().all(|line| line["level"] == "INFO"));

    let mut steps = Vec::new();
    for line in lines(&server, "step") {
        if line["run_id"] == run["id"] {
            assert_eq!(line["attempt"], 1);
            assert!(line["step_run_id"].is_string());
            assert!(line["duration_ms"].as_f64().unwrap() > 0.0);
            let words =
                ["step", "action", "outcome"].map(|name| line[name].as_str().unwrap().to_owned());
            steps.push(words.join(" "));
        }
    }
    steps.sort();
    assert_eq!(
        steps,
        ["bad text.extract failed", "good text.split succeeded"]
    );
}

#[tokio::test]
async fn secrets_are_in_no_log() {
    let server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("LLM_URL", "http://127.0.0.1:9/v1"),
        ("LLM_API_KEY", "sk-not-for-the-log"),
    ]);
    let guest = server.guest();
    let ada = server.sign_up("ada").await;
    for password in ["guess-for-the-log", "short"] {
        let body = json!({ "email": ada.email, "password": password });
        guest.post("/v1/auth/login", body).await;
        let body = json!({ "email": "x", "name": 5, "password": password });
        guest.post("/v1/auth/register", body).await.problem(422);
    }
    guest
        .bearing("token-for-the-log")
        .get("/v1/users/me")
        .await
        .problem(401);
    guest
        .get("/v1/users/me?access_token=query-for-the-log")
        .await
        .problem(401);
    let definition = json!({ "steps": [{ "id": "ask", "tool": "llm.complete",
        "with": { "prompt": "prompt-for-the-log", "model": "m" }, "retry": { "max_attempts": 1 } }] });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let run = ended(&ada.client, &run).await;
    assert_eq!(run["status"], "failed");
    let log = server.log();
    assert!(!log.contains("for-the-log"), "{log}");
    assert!(!run.to_string().contains("sk-not"), "{run}");
    // What the server gave away is looked for when it ends.
}
