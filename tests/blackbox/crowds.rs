//! What one client may cost others: memory, seats, time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    pipelines::{pipeline, start},
    support::{
        Answer, Client, Server,
        raw::{Raw, request},
    },
};

/// How long what ends by itself may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

const MIB: u64 = 1 << 20;

/// Sends bytes as a JSON body.
async fn send(client: &Client, path: &str, body: String) -> Answer {
    let request = client.request(Method::POST, path);
    let request = request.header("content-type", "application/json");
    client.send(request.body(body)).await
}

/// A body of so many bytes, made of as many values as fit.
fn crowded(bytes: usize) -> String {
    format!("{{\"name\":[[]{}]}}", ",[]".repeat(bytes / 3 - 5))
}

#[tokio::test]
async fn a_body_has_so_many_values_and_no_more() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let refused = send(&ada.client, "/v1/labels", crowded(1 << 20)).await;
    let detail = refused.problem(413)["detail"].to_string();
    assert!(detail.contains("250000 values"), "{detail}");
    send(&ada.client, "/v1/labels", crowded(1 << 19))
        .await
        .fault("/name");
}

#[tokio::test]
async fn bodies_together_take_so_much_memory_and_no_more() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    // As large as may be, and they all stall before their last byte.
    let body = crowded((16 << 20) - 64);
    let request = request("POST /v1/labels", Some(ada.client.token()), &body);
    let mut stalled = Vec::new();
    for _ in 0..30 {
        let mut raw = Raw::open(&server.url).await.unwrap();
        // Whoever is turned away may be cut off.
        _ = raw.send(&request.as_bytes()[..request.len() - 1]).await;
        stalled.push(raw);
    }
    let taken = server.peak_memory();
    let large = json!({ "name": "x".repeat(1 << 20) });
    let refused = ada.client.post("/v1/labels", large).await;
    refused.problem(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let body = json!({ "email": ada.email, "password": "wrong" });
    let guest = server.guest().post("/v1/auth/login", body).await;
    guest.problem(401);
    drop(stalled);
    let ended = async || {
        let made = ada.client.post("/v1/labels", json!({ "name": "at last" }));
        (made.await.status == 201).then_some(())
    };
    crate::support::eventually(SOON, ended).await;
    // What is sent whole costs as little.
    let body = crowded((16 << 20) - 64);
    let sent = (0..8).map(|_| send(&ada.client, "/v1/labels", body.clone()));
    for answer in join_all(sent).await {
        assert!([413, 503].contains(&answer.status), "{}", answer.status);
    }
    let peak = server.peak_memory();
    assert!(peak < 500 * MIB, "{} and {}", taken / MIB, peak / MIB);
}

#[tokio::test]
async fn a_crowd_that_signs_in_keeps_nobody_else_waiting() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("PARALLEL_PASSWORD_HASHES", "1")]);
    let ada = server.sign_up("ada").await;
    let guest = server.guest();
    let crowd = (0..600).map(|at| {
        let guest = guest.clone();
        let body = json!({ "email": format!("{at}@example.com"), "password": "wrong" });
        tokio::spawn(async move { guest.post("/v1/auth/login", body).await })
    });
    let crowd: Vec<_> = crowd.collect();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    while crowd.iter().any(|login| !login.is_finished()) {
        let started = Instant::now();
        ada.client.get("/v1/users/me").await.expect(200);
        slowest = slowest.max(started.elapsed());
        asked += 1;
    }
    assert!(asked > 10, "{asked}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let mut waited = 0;
    for login in crowd {
        let answer = login.await.unwrap();
        match answer.status {
            401 => waited += 1,
            503 => assert_eq!(answer.header("retry-after"), Some("1")),
            429 => assert!(answer.header("retry-after").is_some()),
            _ => panic!("{answer:?}"),
        }
    }
    assert!(waited >= 100, "{waited} were worked on");
}

#[tokio::test]
async fn whoever_guesses_api_keys_is_stopped_before_anybody_looks() {
    let settings = [("EMBEDDINGS", "off"), ("GUEST_REQUESTS_PER_MINUTE", "5")];
    let server = Server::with(&settings);
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "ci", "scopes": ["content:read"] });
    let key = ada.client.post("/v1/api-keys", body).await.expect(201);
    let key = server.guest().bearing(key["token"].as_str().unwrap());
    key.get("/v1/labels").await.expect(200);
    let guess = |at: usize| {
        let token = format!("ark_{at:032x}_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        server.guest().bearing(&token)
    };
    // Signing up was one.
    for at in 0..4 {
        guess(at).get("/v1/labels").await.problem(401);
    }
    guess(4).get("/v1/labels").await.problem(429);
    // Not even what would be good is looked at now; sessions are told from guesses without.
    let refused = key.get("/v1/labels").await;
    refused.problem(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    ada.client.get("/v1/labels").await.expect(200);
}

#[tokio::test]
async fn a_head_costs_no_body_and_ends_at_once() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let text = "0123456789abcdef".repeat(1 << 20);
    let body = json!({ "name": "a.txt", "content": text.get(..15 << 20) });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    let content = format!("/v1/artifacts/{}/content", artifact["id"].as_str().unwrap());
    let sleeps = json!({ "steps": [
        { "id": "a", "tool": "time.sleep", "with": { "seconds": 3600 } },
    ] });
    let pipeline = pipeline(&ada.client, sleeps).await;
    let run = start(&ada.client, &pipeline, json!({})).await;

    let mut raw = Raw::open(&server.url).await.unwrap();
    let token = Some(ada.client.token());
    for (path, header) in [
        (content, format!("content-length: {}", 15 << 20)),
        (
            format!("{run}/events"),
            "content-type: text/event-stream".to_owned(),
        ),
        ("/v1/users/me".to_owned(), "etag: \"1\"".to_owned()),
    ] {
        for _ in 0..3 {
            raw.send(request(&format!("HEAD {path}"), token, ""))
                .await
                .unwrap();
            let head = timeout(SOON, raw.head()).await.expect(&path).unwrap();
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            assert!(head.contains(&header), "{path}: {head}");
            // The connection is at the next answer's beginning, and free for it.
            raw.send(request("GET /healthz", None, "")).await.unwrap();
            let next = timeout(SOON, raw.reply()).await.expect(&path).unwrap();
            assert_eq!(next.status, 200, "{path}: {next:?}");
        }
    }
}

#[tokio::test]
async fn one_user_watches_so_much_and_no_more() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let eve = ada.bring_in(&server.guest(), &eve, "viewer").await;
    let sleeps = json!({ "steps": [
        { "id": "a", "tool": "time.sleep", "with": { "seconds": 3600 } },
    ] });
    let pipeline = pipeline(&ada.client, sleeps).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let path = format!("{run}/events");
    let mut watching = Vec::new();
    for _ in 0..20 {
        let stream = ada.client.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        watching.push(stream);
    }
    let refused = timeout(SOON, ada.client.get(&path)).await.unwrap();
    let detail = refused.problem(429)["detail"].to_string();
    assert!(detail.contains("20 event streams"), "{detail}");
    let other = eve.client.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn who_races_without_a_precondition_has_broken_none() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let race = async |tag: Option<&str>| {
        let client = match tag {
            Some(tag) => ada.client.with("if-match", tag),
            None => ada.client.clone(),
        };
        let change = |at: usize| {
            let client = client.clone();
            async move {
                client
                    .patch("/v1/users/me", json!({ "name": format!("Ada {at}") }))
                    .await
            }
        };
        join_all((0..60).map(change)).await
    };
    let mut conflicts = 0;
    for tag in [None, Some("*")] {
        for answer in race(tag).await {
            match answer.status {
                200 => {}
                409 => conflicts += 1,
                _ => panic!("{answer:?}"),
            }
        }
    }
    assert!(conflicts > 0, "nobody was overtaken");
    let tag = ada.client.get("/v1/users/me").await;
    let answers = race(tag.header("etag")).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(done.len(), 1);
    for answer in refused {
        answer.problem(412);
    }
}
