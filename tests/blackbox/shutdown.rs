//! Stopping, as in a rolling restart: nobody's request is lost, and no step waits
//! for a lease to end.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    pipelines::{ended, pipeline, start},
    support::{
        Server, eventually,
        raw::{Raw, request},
    },
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn readiness_goes_off_while_requests_are_still_taken() {
    let mut server = Server::with(&[("EMBEDDINGS", "off"), ("SHUTDOWN_DELAY", "5s")]);
    let ada = server.sign_up("ada").await;
    server.ask_to_stop();
    let said = eventually(PATIENCE, async || {
        let ready = server.guest().get("/readyz").await;
        (ready.status == 503).then_some(ready.bytes)
    })
    .await;
    assert!(said.starts_with(b"server: stopping\ndatabase: ok\n"));
    server.guest().get("/healthz").await.expect(200);
    ada.client.get("/v1/users/me").await.expect(200);
    assert!(server.ended_well());
}

/// Asks on one connection, over and over, until the server says that it takes no
/// more on it; answers how often it was answered.
async fn ask_until_sent_away(url: &str, token: &str) -> usize {
    let mut connection = Raw::open(url).await.unwrap();
    let question = request("GET /v1/users/me", Some(token), "");
    let mut answered = 0;
    loop {
        connection.send(&question).await.unwrap();
        let reply = connection.reply().await.expect("an answer");
        assert_eq!(reply.status, 200, "{reply:?}");
        answered += 1;
        if reply.closes() {
            return answered;
        }
    }
}

#[tokio::test]
async fn a_rolling_restart_fails_no_request() {
    let mut server = Server::start();
    let ada = server.sign_up("ada").await;
    let mut before = 0;
    for _ in 0..3 {
        let (url, token) = (server.url.clone(), ada.client.token().to_owned());
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (url, token) = (url.clone(), token.clone());
                tokio::spawn(async move { ask_until_sent_away(&url, &token).await })
            })
            .collect();
        // They are at it.
        eventually(PATIENCE, async || {
            let asked = server.log().matches("\"action\":\"get_me\"").count();
            (asked > before + 50).then_some(())
        })
        .await;
        server.ask_to_stop();
        for client in clients {
            assert!(client.await.unwrap() > 0);
        }
        assert!(server.ended_well());
        before = server.log().matches("\"action\":\"get_me\"").count();
        server.restart();
    }
}

#[tokio::test]
async fn a_request_that_is_under_way_is_carried_out() {
    let mut server = Server::start();
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "a.txt", "content": "to the end" }).to_string();
    let whole = request("POST /v1/artifacts", Some(ada.client.token()), &body);
    let (begun, rest) = whole.split_at(whole.len() - 10);
    let mut slow = Raw::open(&server.url).await.unwrap();
    slow.send(begun).await.unwrap();
    let mut idle = Raw::open(&server.url).await.unwrap();
    idle.send(request("GET /healthz", None, "")).await.unwrap();
    assert_eq!(idle.reply().await.unwrap().status, 200);
    server.ask_to_stop();
    // Nobody else gets in any more.
    eventually(PATIENCE, async || {
        Raw::open(&server.url).await.is_none().then_some(())
    })
    .await;
    slow.send(rest).await.unwrap();
    let reply = slow.reply().await.expect("an answer");
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(idle.reply().await.is_none(), "what is idle is closed");
    assert!(server.ended_well());

    server.restart();
    let client = ada.client.at(&server.url);
    let all = client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"][0]["name"], "a.txt");
}

/// A server that keeps the first who asks waiting for ever, and answers others;
/// and how many asked.
fn stand_in() -> (String, watch::Receiver<usize>) {
    let (asked, seen) = watch::channel(0_usize);
    let answer = async |asked: web::Data<watch::Sender<usize>>| {
        let mut first = false;
        asked.send_modify(|count| {
            first = *count == 0;
            *count += 1;
        });
        if first {
            std::future::pending::<()>().await;
        }
        HttpResponse::Ok().body("well")
    };
    let asked = web::Data::new(asked);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(asked.clone())
            .route("/", web::get().to(answer))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    (format!("http://{address}/"), seen)
}

#[tokio::test]
async fn a_running_step_is_handed_back_and_not_kept_under_its_lease() {
    let (url, mut asked) = stand_in();
    let mut server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("EGRESS_ALLOW", "127.0.0.1"),
        ("STEP_LEASE", "1h"),
        ("SHUTDOWN_TIMEOUT", "200ms"),
    ]);
    let ada = server.sign_up("ada").await;
    let definition = json!({
        "steps": [{ "id": "call", "tool": "http.request", "with": { "method": "GET", "url": url } }],
        "outputs": { "said": "{{ steps.call.output.body }}" },
    });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    asked.wait_for(|count| *count == 1).await.unwrap();
    assert!(server.terminate());

    server.restart();
    let client = ada.client.at(&server.url);
    let over = ended(&client, &run).await;
    assert_eq!(
        (&over["status"], &over["output"]["said"]),
        (&json!("succeeded"), &json!("well")),
        "{over}"
    );
    let steps = client.get(&format!("{run}/steps")).await.expect(200);
    assert_eq!(*asked.borrow(), 2);
    // To be handed back is no attempt that failed.
    assert_eq!(steps["data"][0]["attempt"], 1, "{steps}");
}
