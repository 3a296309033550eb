//! What no proper client sends: a problem comes back, or at least the right
//! status, and the server stays up.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use crate::{
    contract::operations,
    support::{
        Server,
        raw::{Raw, request},
    },
};

/// What is sent as the body of every operation that takes JSON: what it is, under
/// which media type, and what must be answered.
fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>, u16)> {
    let json = "application/json";
    vec![
        ("nothing", json, Vec::new(), 400),
        ("half of it", json, b"{\"a\":".to_vec(), 400),
        ("two", json, b"{} {}".to_vec(), 400),
        ("no object", json, b"[1]".to_vec(), 422),
        ("null", json, b"null".to_vec(), 422),
        (
            "a number out of range",
            json,
            b"{\"a\":1e999}".to_vec(),
            400,
        ),
        ("deep", json, "[".repeat(10_000).into_bytes(), 400),
        ("just too deep", json, nested(65).into_bytes(), 400),
        ("a key twice", json, br#"{"a":1,"a":2}"#.to_vec(), 400),
        ("no text", json, b"{\"a\":\"\xff\xfe\"}".to_vec(), 400),
        ("half a character", json, br#"{"a":"\ud800"}"#.to_vec(), 400),
        (
            "an unknown field",
            json,
            br#"{"colour":"red"}"#.to_vec(),
            422,
        ),
        ("no JSON", "text/plain", b"{}".to_vec(), 415),
        ("no media type", "", b"{}".to_vec(), 415),
    ]
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn every_operation_refuses_every_bad_body() {
    let server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("GUEST_REQUESTS_PER_MINUTE", "100000"),
    ]);
    let ada = server.sign_up("ada").await;
    let mut tried = 0;
    for (method, template, operation) in operations(&server).await {
        if operation["requestBody"]["content"]["application/json"].is_null() {
            continue;
        }
        let of_organization = operation["x-authorization"]["organization"] == "path";
        let nothing = "01890a5d-ac96-774b-bcce-b302099a8057";
        let id = if of_organization {
            ada.organization.as_str()
        } else {
            nothing
        };
        let path = template.replace("{id}", id).replace("{member_id}", nothing);
        for (what, media_type, body, status) in bodies() {
            let mut sent = ada.client.request(method.clone(), &path).body(body);
            if !media_type.is_empty() {
                sent = sent.header("content-type", media_type);
            }
            let answer = ada.client.send(sent).await;
            assert_eq!(
                answer.status, status,
                "{method} {path} with {what}: {answer:?}"
            );
            answer.problem(status);
            tried += 1;
        }
        let zipped = ada.client.with("content-encoding", "gzip");
        let sent = zipped.request(method.clone(), &path).json(&json!({}));
        zipped.send(sent).await.problem(415);
        let large = ada.client.request(method, &path);
        let large = large.header("content-type", "application/json");
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(17 << 20));
        // The server may stop reading, and its client writing, before the answer is read.
        if let Ok(answer) = ada.client.try_send(large.body(body)).await {
            answer.problem(413);
        }
    }
    assert!(tried > 100, "{tried}");
    server.guest().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_guest_may_send_little() {
    let server = Server::start();
    let line = "POST /v1/auth/login HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    let mut raw = Raw::open(&server.url).await.unwrap();
    let half = "x".repeat(300_000);
    let sent = format!("{line}content-length: 900000\r\n\r\n{{\"email\":\"{half}");
    raw.send(sent).await.unwrap();
    raw.reply().await.unwrap().problem(413);
}

#[tokio::test]
async fn paths_and_headers_of_any_kind_are_refused_politely() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let token = ada.client.token();
    for path in [
        "/v1/artifacts/%00",
        "/v1/artifacts/%ff%fe",
        "/v1/artifacts/..%2f..%2fetc%2fpasswd",
        "/v1/artifacts/../../../etc/passwd",
        "/v1/tools/%F0%9F%92%A9",
        "/v1//artifacts",
        "/v1/artifacts?cursor=%00",
        "/v1/artifacts?limit=99999999999999999999",
        "/v1/artifacts?limit=1&limit=2",
        "/v1/artifacts?filter[name]=%ff",
        "/v1/artifacts?sort=created_at;DROP%20TABLE%20artifacts",
    ] {
        let mut raw = Raw::open(&server.url).await.unwrap();
        let line = format!("GET {path}");
        raw.send(request(&line, Some(token), "")).await.unwrap();
        let reply = raw.reply().await.unwrap();
        if reply.status != 200 {
            assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
            reply.problem(reply.status);
        }
    }
    for header in [
        "authorization: Bearer \u{fc}",
        "authorization: \u{1}",
        "range: bytes=9-1,,",
        "if-none-match: \"",
        "last-event-id: \u{fc}",
        "content-length: 12",
    ] {
        let mut raw = Raw::open(&server.url).await.unwrap();
        let sent = format!("GET /v1/users/me HTTP/1.1\r\nhost: test\r\n{header}\r\n\r\n");
        raw.send(sent).await.unwrap();
        let reply = raw.reply().await.unwrap();
        assert!((400..500).contains(&reply.status), "{header}: {reply:?}");
    }
    server.guest().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_cut_off() {
    let server = Server::start();
    let long = "x".repeat(200_000);
    let many = "x: 1\r\n".repeat(200);
    for (what, sent, status) in [
        (
            "a header that is too large",
            format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n"),
            431,
        ),
        (
            "too many headers",
            format!("GET / HTTP/1.1\r\n{many}\r\n"),
            431,
        ),
        (
            "a URL that is too long",
            format!("GET /{long} HTTP/1.1\r\n\r\n"),
            431,
        ),
        (
            "nonsense",
            "\u{16}\u{3}\u{1}nonsense\r\n\r\n".to_owned(),
            400,
        ),
        (
            "two lengths",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
            400,
        ),
        (
            "a length that is none",
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_owned(),
            400,
        ),
        (
            "length and chunks",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            400,
        ),
    ] {
        let mut raw = Raw::open(&server.url).await.unwrap();
        // The server may cut the client off before it has sent everything.
        let sent = raw.send(sent).await;
        match raw.reply().await {
            Some(reply) => {
                assert_eq!(reply.status, status, "{what}: {reply:?}");
                let silent = reply.body.is_empty();
                let kind = "content-type: application/problem+json";
                assert!(silent || reply.head.contains(kind), "{what}: {reply:?}");
            }
            None => assert!(sent.is_err() || status == 431, "{what}"),
        }
    }
    server.guest().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn who_stalls_is_cut_off() {
    let server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("BODY_TIMEOUT", "300ms"),
        ("IDLE_TIMEOUT", "300ms"),
    ]);
    let ada = server.sign_up("ada").await;
    let token = ada.client.token();

    let started = Instant::now();
    let mut head = Raw::open(&server.url).await.unwrap();
    head.send("GET /healthz HTTP/1.1\r\nx-slow: ")
        .await
        .unwrap();
    let reply = head.reply().await;
    assert!(reply.is_none_or(|reply| reply.status == 408));

    let mut body = Raw::open(&server.url).await.unwrap();
    let whole = request(
        "POST /v1/auth/login",
        None,
        "{\"email\":\"ada@example.com\"}",
    );
    body.send(&whole[..whole.len() - 5]).await.unwrap();
    body.reply().await.unwrap().problem(408);

    let mut upload = Raw::open(&server.url).await.unwrap();
    let sent = format!(
        "POST /v1/artifacts HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: 1000\r\n\r\n\
         --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nabc"
    );
    upload.send(sent).await.unwrap();
    upload.reply().await.unwrap().problem(408);
    assert!(started.elapsed().as_secs() < 30);

    let all = ada.client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"], json!([]));
}

#[tokio::test]
async fn methods_nobody_knows_are_refused() {
    let server = Server::start();
    let guest = server.guest();
    for method in ["BREW", "TRACE", "CONNECT"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = guest.try_send(guest.request(method, "/v1/users/me")).await;
        assert!(answer.is_ok_and(|answer| [400, 401, 404, 405].contains(&answer.status)));
    }
    guest.get("/healthz").await.expect(200);
}
