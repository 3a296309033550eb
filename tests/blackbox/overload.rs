//! More than the server can do: it does what it can, turns the rest away at once,
//! and says all the while how it is.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Server, eventually};

#[tokio::test]
async fn what_is_too_much_is_turned_away_and_the_rest_is_done() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("MAX_REQUESTS", "2")]);
    let ada = server.sign_up("ada").await;
    // Hashing takes its time, so that many are there at once.
    let flood = (0..40).map(async |at| {
        let body = json!({ "email": format!("u{at}@example.com"), "name": "U", "password": "long enough" });
        ada.client.post("/v1/auth/register", body).await
    });
    let probes = (0..40).map(async |_| {
        server.guest().get("/healthz").await.expect(200);
        server.guest().get("/readyz").await.expect(200);
        server.guest().get("/metrics").await.expect(200);
    });
    let (answers, _) = tokio::join!(join_all(flood), join_all(probes));
    let (done, shed): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!done.is_empty() && !shed.is_empty(), "{}", done.len());
    for answer in &shed {
        answer.problem(503);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let metrics = server.guest().get("/metrics").await;
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    let counted = format!("archesai_http_requests_shed_total {}", shed.len());
    assert!(metrics.contains(&counted), "{metrics}");
    // Nothing keeps its place.
    eventually(Duration::from_secs(30), async || {
        let metrics = server.guest().get("/metrics").await;
        let metrics = String::from_utf8(metrics.bytes).unwrap();
        metrics
            .contains("archesai_http_requests_in_flight 0\n")
            .then_some(())
    })
    .await;
    ada.client.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn slow_clients_take_nobodys_place() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("MAX_REQUESTS", "2")]);
    let ada = server.sign_up("ada").await;
    let begin = async |head: &str| {
        let mut slow = crate::support::raw::Raw::open(&server.url).await.unwrap();
        let token = ada.client.token();
        let sent = format!(
            "POST {head}\r\nhost: test\r\nauthorization: Bearer {token}\r\ncontent-length: 1000\r\n\r\n--x"
        );
        slow.send(sent).await.unwrap();
        slow
    };
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(
            begin("/v1/artifacts HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=x").await,
        );
        held.push(begin("/v1/labels HTTP/1.1\r\ncontent-type: application/json").await);
        held.push(begin("/v1/auth/login HTTP/1.1\r\ncontent-type: application/json").await);
    }
    // They take a seat for as long as it takes to see that they are slow.
    for _ in 0..10 {
        eventually(Duration::from_secs(30), async || {
            let me = ada.client.get("/v1/users/me").await;
            (me.status == 200).then_some(())
        })
        .await;
    }
    drop(held);
}
