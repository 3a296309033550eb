//! Pipelines: written, checked, run, watched, cancelled, retried.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::{
    content::{document, upload},
    support::{Client, Server, eventually},
};

/// Makes a pipeline, and answers its path.
pub(crate) async fn pipeline(client: &Client, definition: Value) -> String {
    let body = json!({ "name": "test", "definition": definition });
    let pipeline = client.post("/v1/pipelines", body).await.expect(201);
    format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap())
}

/// Starts a run, and answers its path.
pub(crate) async fn start(client: &Client, pipeline: &str, input: Value) -> String {
    let path = format!("{pipeline}/runs");
    let run = client
        .post(&path, json!({ "input": input }))
        .await
        .expect(202);
    format!("/v1/runs/{}", run["id"].as_str().unwrap())
}

/// Waits until a run has ended, and answers it.
pub(crate) async fn ended(client: &Client, run: &str) -> Value {
    eventually(Duration::from_mins(1), async || {
        let found = client.get(run).await.expect(200);
        let over = ["succeeded", "failed", "cancelled"].contains(&found["status"].as_str()?);
        over.then_some(found)
    })
    .await
}

fn sleeping(seconds: u32) -> Value {
    json!({ "steps": [
        { "id": "wait", "tool": "time.sleep", "with": { "seconds": seconds } },
        { "id": "after", "tool": "json.transform", "needs": ["wait"], "with": { "input": 1, "filter": "." } },
    ] })
}

#[tokio::test]
async fn a_document_is_extracted_split_and_stored() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let artifact = upload(&ada.client, "constitution.docx", "law").await;
    let definition = json!({
        "inputs": { "artifact_id": { "type": "string", "format": "uuid" } },
        "steps": [
            { "id": "extract", "tool": "text.extract", "with": { "artifact_id": "{{ inputs.artifact_id }}" } },
            { "id": "split", "tool": "text.split", "with": { "text": "{{ steps.extract.output.text }}", "max_chars": 800 } },
            { "id": "count", "tool": "json.transform", "for_each": "{{ steps.split.output.chunks }}", "concurrency": 4,
              "with": { "input": "{{ item }}", "filter": ".text | length" } },
            { "id": "store", "tool": "artifact.write",
              "with": { "name": "lengths.json", "content": "{{ steps.count.output | map(attribute='result') | tojson }}" } },
        ],
        "outputs": { "artifact_id": "{{ steps.store.output.artifact_id }}", "pieces": "{{ steps.split.output.count }}" },
    });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(
        &ada.client,
        &pipeline,
        json!({ "artifact_id": artifact["id"] }),
    )
    .await;
    let run_ended = ended(&ada.client, &run).await;
    assert_eq!(
        (&run_ended["status"], &run_ended["progress"]),
        (&json!("succeeded"), &json!(100.0))
    );

    let stored = run_ended["output"]["artifact_id"].as_str().unwrap();
    let content = ada
        .client
        .get(&format!("/v1/artifacts/{stored}/content"))
        .await
        .expect(200);
    let lengths = content.as_array().unwrap();
    assert_eq!(json!(lengths.len()), run_ended["output"]["pieces"]);
    assert!(lengths.iter().all(|length| length.as_u64().unwrap() <= 800));

    let steps = ada
        .client
        .get(&format!("{run}/steps?limit=100"))
        .await
        .expect(200);
    let extract = steps["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["id"] == "extract")
        .unwrap();
    assert_eq!(extract["input"]["artifact_id"], artifact["id"]);
    assert!(
        extract["output"]["text"]
            .as_str()
            .unwrap()
            .contains("Debian")
    );
    let logs = ada.client.get(&format!("{run}/logs")).await.expect(200);
    assert!(
        logs["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["message"].as_str().unwrap().contains("extracted"))
    );
}

#[tokio::test]
async fn a_run_is_watched_live_and_again_from_anywhere() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let pipeline = pipeline(&ada.client, sleeping(0)).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let read = async |after: Option<&str>| {
        let client = match after {
            Some(id) => ada.client.with("last-event-id", id),
            None => ada.client.clone(),
        };
        let request = client.request(Method::GET, &format!("{run}/events"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        // The stream ends by itself, after the run has.
        let mut text = String::new();
        let mut stream = response.bytes_stream();
        while let Some(bytes) = stream.next().await {
            text += std::str::from_utf8(&bytes.unwrap()).unwrap();
        }
        events(&text)
    };
    let all = read(None).await;
    let progress: Vec<f64> = all
        .iter()
        .filter(|event| event.1 == "progress")
        .map(|event| event.2["progress"].as_f64().unwrap())
        .collect();
    assert_eq!(progress, [50.0, 100.0]);
    assert_eq!(
        (all[0].1.as_str(), &all[0].2["status"]),
        ("run", &json!("queued"))
    );
    let last = all.last().unwrap();
    assert_eq!(
        (last.1.as_str(), &last.2["status"]),
        ("run", &json!("succeeded"))
    );
    let rest = read(Some(&all[2].0)).await;
    assert_eq!(rest, all[3..]);
    ada.client
        .with("last-event-id", "nonsense")
        .get(&format!("{run}/events"))
        .await
        .problem(422);
}

/// Id, name and data of the events of a stream.
pub(crate) fn events(text: &str) -> Vec<(String, String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    blocks
        .map(|block| {
            let line = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
            };
            let data = serde_json::from_str(line("data: ")).unwrap();
            (line("id: ").to_owned(), line("event: ").to_owned(), data)
        })
        .collect()
}

#[tokio::test]
async fn a_wrong_definition_is_refused_by_place() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let check = async |definition: Value| {
        let body = json!({ "name": "test", "definition": definition });
        ada.client.post("/v1/pipelines", body).await
    };
    let step = |id: &str, with: Value| json!({ "id": id, "tool": "text.split", "with": with });
    let unknown = json!({ "steps": [{ "id": "a", "tool": "no.such", "with": {} }] });
    check(unknown.clone())
        .await
        .fault("/definition/steps/0/tool");
    let twice =
        json!({ "steps": [step("a", json!({ "text": "x" })), step("a", json!({ "text": "x" }))] });
    check(twice).await.fault("/definition/steps/1/id");
    let misfit = json!({ "steps": [step("a", json!({ "text": 5 }))] });
    check(misfit).await.fault("/definition/steps/0/with/text");
    let nowhere = json!({ "steps": [step("a", json!({ "text": "{{ steps.b.output }}" }))] });
    check(nowhere).await.fault("/definition/steps/0/with/text");
    let broken = json!({ "steps": [step("a", json!({ "text": "{{ 1 + }}" }))] });
    check(broken).await.fault("/definition/steps/0/with/text");
    let cycle = json!({ "steps": [
        step("a", json!({ "text": "{{ steps.b.output.count }}" })),
        step("b", json!({ "text": "{{ steps.a.output.count }}" })),
    ] });
    check(cycle).await.problem(422);
    let odd = json!({ "steps": [], "colour": "red" });
    check(odd).await.fault("/definition/colour");

    let checked = ada
        .client
        .post("/v1/pipelines/validate", json!({ "definition": unknown }))
        .await;
    let checked = checked.expect(200);
    assert_eq!(checked["valid"], false);
    let listed = ada.client.get("/v1/pipelines").await.expect(200);
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn inputs_are_checked_against_the_definition() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let definition = json!({
        "inputs": { "text": { "type": "string" }, "size": { "type": "integer", "default": 100 } },
        "steps": [{ "id": "a", "tool": "text.split",
                    "with": { "text": "{{ inputs.text }}", "max_chars": "{{ inputs.size }}" } }],
    });
    let pipeline = pipeline(&ada.client, definition).await;
    let path = format!("{pipeline}/runs");
    let refuse = async |input: Value, pointer: &str| {
        ada.client
            .post(&path, json!({ "input": input }))
            .await
            .fault(pointer);
    };
    refuse(json!({}), "/input/text").await;
    refuse(json!({ "text": 5 }), "/input/text").await;
    refuse(json!({ "text": "x", "colour": 1 }), "/input/colour").await;
    let run = start(&ada.client, &pipeline, json!({ "text": "hello world" })).await;
    assert_eq!(ended(&ada.client, &run).await["status"], "succeeded");
}

#[tokio::test]
async fn a_run_is_cancelled_once_and_runs_nothing_more() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let pipeline = pipeline(&ada.client, sleeping(3600)).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let cancelled = ada.client.post(&format!("{run}/cancel"), json!({})).await;
    assert!(cancelled.status < 300, "{cancelled:?}");
    let over = ended(&ada.client, &run).await;
    assert_eq!(over["status"], "cancelled");
    ada.client
        .post(&format!("{run}/cancel"), json!({}))
        .await
        .problem(409);
    let steps = ada.client.get(&format!("{run}/steps")).await.expect(200);
    for step in steps["data"].as_array().unwrap() {
        assert_eq!(step["status"], "cancelled", "{step}");
    }
}

#[tokio::test]
async fn a_failing_step_is_tried_again_and_then_reported() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("EGRESS_ALLOW", "127.0.0.1")]);
    let ada = server.sign_up("ada").await;
    // Nobody listens on the discard port.
    let definition = json!({ "steps": [{
        "id": "call", "tool": "http.request",
        "with": { "method": "GET", "url": "http://127.0.0.1:9/" },
        "retry": { "max_attempts": 3, "backoff": "fixed", "initial": "10ms" },
    }] });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let over = ended(&ada.client, &run).await;
    assert_eq!(
        (&over["status"], &over["error"]["step"]),
        (&json!("failed"), &json!("call"))
    );
    let steps = ada.client.get(&format!("{run}/steps")).await.expect(200);
    assert_eq!(steps["data"][0]["attempt"], 3);
    assert!(steps["data"][0]["error"]["message"].is_string());
}

#[tokio::test]
async fn a_broken_document_fails_its_step_and_says_why() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let mut bytes = document("fhs-3.0.pdf");
    bytes.truncate(20_000);
    let part = multipart::Part::bytes(bytes).file_name("broken.pdf");
    let form = multipart::Form::new().part("file", part);
    let request = ada
        .client
        .request(Method::POST, "/v1/artifacts")
        .multipart(form);
    let artifact = ada.client.send(request).await.expect(201);
    let definition = json!({
        "inputs": { "artifact_id": { "type": "string" } },
        "steps": [
            { "id": "read", "tool": "text.extract", "with": { "artifact_id": "{{ inputs.artifact_id }}" } },
            { "id": "split", "tool": "text.split", "with": { "text": "{{ steps.read.output.text }}" } },
        ],
    });
    let pipeline = pipeline(&ada.client, definition).await;
    let input = json!({ "artifact_id": artifact["id"] });
    let run = start(&ada.client, &pipeline, input).await;
    let over = ended(&ada.client, &run).await;
    assert_eq!(over["status"], "failed", "{over}");
    let steps = ada.client.get(&format!("{run}/steps")).await.expect(200);
    let step = |id: &str| {
        let steps = steps["data"].as_array().unwrap().iter();
        let mut steps = steps.filter(|step| step["id"] == id);
        steps.next().cloned().unwrap()
    };
    let (read, split) = (step("read"), step("split"));
    assert_eq!(read["status"], "failed");
    // For good: trying again would not mend the document.
    assert_eq!(read["attempt"], 1);
    let message = read["error"]["message"].as_str().unwrap();
    assert!(message.to_lowercase().contains("pdf"), "{message}");
    assert_ne!(split["status"], "succeeded");
    let error = &over["error"];
    assert_eq!(
        (&error["step"], &error["message"]),
        (&json!("read"), &read["error"]["message"])
    );
    let logs = ada.client.get(&format!("{run}/logs")).await.expect(200);
    assert!(logs["data"].is_array());
    let body = json!({ "input": { "artifact_id": artifact["id"] } });
    ada.client
        .post(&format!("{pipeline}/runs"), body)
        .await
        .expect(202);
}

#[tokio::test]
async fn a_pipeline_reaches_no_private_address() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    for url in [
        server.url.as_str(),
        "http://localhost/",
        "http://169.254.169.254/",
        "http://0x7f.1/",
    ] {
        let definition = json!({ "steps": [
            { "id": "call", "tool": "http.request", "with": { "method": "GET", "url": url } },
        ] });
        let pipeline = pipeline(&ada.client, definition).await;
        let run = start(&ada.client, &pipeline, json!({})).await;
        let over = ended(&ada.client, &run).await;
        assert_eq!(over["status"], "failed", "{url}: {over}");
    }
}

#[tokio::test]
async fn every_tool_shows_its_schemas() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let tools = ada.client.get("/v1/tools").await.expect(200);
    let names: Vec<_> = tools["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    for name in [
        "text.extract",
        "text.split",
        "embedding.create",
        "artifact.write",
        "json.transform",
    ] {
        assert!(names.contains(&json!(name)), "{name}");
    }
    for name in names {
        let tool = ada
            .client
            .get(&format!("/v1/tools/{}", name.as_str().unwrap()))
            .await
            .expect(200);
        assert_eq!(tool["input_schema"]["type"], "object");
        assert!(tool["output_schema"].is_object());
    }
    ada.client.get("/v1/tools/no.such").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_dear_to_check_keep_nobody_waiting() {
    let server = Server::with(&[("EMBEDDINGS", "off")]);
    let ada = server.sign_up("ada").await;
    let dear = "{{ ('a' * 9999999) | length }}";
    let step =
        |with: Value| json!({ "steps": [{ "id": "a", "tool": "json.transform", "with": with }] });
    let unknown: serde_json::Map<_, _> =
        (0..40_000).map(|at| (format!("f{at}"), json!(1))).collect();
    for definition in [
        step(json!({ "filter": ".", "input": vec![dear; 20_000] })),
        step(json!({ "filter": ".", "input": "x".repeat(2 << 20) })),
        step(Value::Object(unknown.clone())),
        json!({ "steps": [], "inputs": unknown }),
    ] {
        let body = json!({ "definition": definition });
        let validate = ada.client.post("/v1/pipelines/validate", body);
        let look = async {
            for _ in 0..20 {
                let started = Instant::now();
                ada.client.get("/v1/pipelines").await.expect(200);
                assert!(started.elapsed() < Duration::from_secs(3));
            }
        };
        let started = Instant::now();
        let (told, ()) = tokio::join!(validate, look);
        assert!(started.elapsed() < Duration::from_secs(30));
        let told = told.expect(200);
        let told = told["errors"].as_array().unwrap();
        assert!((1..=101).contains(&told.len()), "{}", told.len());
    }
}

#[tokio::test]
async fn values_are_bounded_in_sum() {
    let server = Server::with(&[("EMBEDDINGS", "off")]);
    let ada = server.sign_up("ada").await;
    let definition = json!({ "inputs": { "text": {} }, "steps": [] });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = async |mebibytes: usize| {
        let body = json!({ "input": { "text": "x".repeat(mebibytes << 20) } });
        ada.client.post(&format!("{pipeline}/runs"), body).await
    };
    let refused = run(5).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/input", "{refused}");
    for _ in 0..3 {
        run(3).await.expect(202);
    }
    let (mut found, mut next) = (0, "/v1/runs?limit=100".to_owned());
    loop {
        let page = ada.client.get(&next).await.expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
        found += 1;
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        next = format!("/v1/runs?limit=100&cursor={cursor}");
    }
    assert_eq!(found, 3);
}
