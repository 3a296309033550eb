//! The tool that asks the web.

use std::time::Duration;

use archesai_tools::capabilities::WebRequest;
use archesai_workflows::{StepRunId, ToolError};
use serde_json::{Value, json};

use crate::{
    bench::Bench,
    memory::{MemoryArtifacts, OnePage},
};

fn bench(web: OnePage) -> Bench {
    Bench::with(MemoryArtifacts::default(), web)
}

/// What the web was asked by a call with this input.
async fn asked(input: Value) -> WebRequest {
    let bench = bench(OnePage::new(204, &[], b""));
    bench.call("http.request", input).await.unwrap();
    bench.web.asked.lock().unwrap().pop().unwrap()
}

fn header<'a>(request: &'a WebRequest, name: &str) -> Option<&'a str> {
    let found = request
        .headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn an_answer_is_an_output_whatever_its_status() {
    let headers = [
        ("content-type", "application/problem+json"),
        ("x-a", "1"),
        ("x-a", "2"),
    ];
    let bench = bench(OnePage::new(503, &headers, br#"{"detail":"later"}"#));
    let input = json!({"url": "https://a.example/x?key=secret"});
    let output = bench.call("http.request", input).await.unwrap();
    assert_eq!(
        output,
        json!({
            "status": 503,
            "headers": {"content-type": "application/problem+json", "x-a": "1, 2"},
            "body": "{\"detail\":\"later\"}",
            "json": {"detail": "later"},
        })
    );
    assert_eq!(
        bench.told(),
        "GET https://a.example/x answered 503 with 18 bytes after 0 ms"
    );
}

#[tokio::test]
async fn json_that_is_none_stays_text() {
    let bench = bench(OnePage::new(
        200,
        &[("content-type", "application/json")],
        b"{oops",
    ));
    let output = bench
        .call("http.request", json!({"url": "https://a.example"}))
        .await
        .unwrap();
    assert_eq!(
        (output["body"].as_str(), output.get("json")),
        (Some("{oops"), None)
    );
}

#[tokio::test]
async fn what_changes_something_has_an_idempotency_key() {
    let get = asked(json!({"url": "https://a.example"})).await;
    assert_eq!(header(&get, "idempotency-key"), None);
    assert_eq!(
        (get.method.as_str(), get.timeout, get.body),
        ("GET", Duration::from_secs(30), None)
    );
    let post = json!({"method": "POST", "url": "https://a.example", "body": {"a": 1}, "timeout_seconds": 5});
    let post = asked(post).await;
    assert_eq!(
        header(&post, "idempotency-key"),
        Some(StepRunId(4).to_string().as_str())
    );
    assert_eq!(header(&post, "content-type"), Some("application/json"));
    assert_eq!(
        (post.timeout, post.body.as_deref()),
        (Duration::from_secs(5), Some(br#"{"a":1}"#.as_slice()))
    );
}

#[tokio::test]
async fn headers_that_are_given_win() {
    let headers = json!({"Idempotency-Key": "mine", "Content-Type": "text/csv"});
    let put =
        json!({"method": "PUT", "url": "https://a.example", "headers": headers, "body": "a,b"});
    let put = asked(put).await;
    assert_eq!(header(&put, "idempotency-key"), Some("mine"));
    assert_eq!(header(&put, "content-type"), Some("text/csv"));
    assert_eq!(put.headers.len(), 2);
    assert_eq!(put.body.as_deref(), Some(b"a,b".as_slice()));
}

#[tokio::test]
async fn what_did_not_come_to_an_answer_fails_as_the_web_says() {
    let mut page = OnePage::new(200, &[], b"");
    page.answer = Err(ToolError::transient("connection_failed", "no"));
    let error = bench(page)
        .fail("http.request", json!({"url": "https://a.example"}))
        .await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("connection_failed", true)
    );
}
