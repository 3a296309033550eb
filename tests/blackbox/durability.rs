//! What was acknowledged stays, whatever becomes of the process.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    pipelines::{ended, pipeline, start},
    support::Server,
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

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    let mut server = Server::start();
    let ada = server.sign_up("ada").await;
    let mut written = Vec::new();
    for round in 0..5 {
        let client = ada.client.at(&server.url);
        for at in 0..5 {
            let name = format!("{round}-{at}.txt");
            let body = json!({ "name": name, "content": name });
            let artifact = client.post("/v1/artifacts", body).await.expect(201);
            written.push((artifact["id"].as_str().unwrap().to_owned(), name));
        }
        server.kill();
        server.restart();
    }
    let client = ada.client.at(&server.url);
    for (id, name) in written {
        let content = client.get(&format!("/v1/artifacts/{id}/content")).await;
        assert_eq!(String::from_utf8(content.bytes).unwrap(), name);
    }
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
    let server = Server::start();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_archesai"))
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
