//! One user's way through everything, over every choice of back ends.

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    content::indexed,
    pipelines::{events, pipeline, start},
    support::{Backends, Server, User},
};

/// A test for each choice: its name, and that of the back ends.
macro_rules! matrix {
    ($($name:ident: $backends:literal,)*) => {$(
        #[tokio::test]
        async fn $name() {
            go_through($backends).await;
        }
    )*};
}
matrix! {
    sqlite_memory_memory: "",
    sqlite_memory_redis: "redis,caches=memory",
    sqlite_memory_nats: "nats",
    sqlite_redis_memory: "redis,events=memory",
    sqlite_redis_redis: "redis",
    sqlite_redis_nats: "redis,nats",
    postgres_memory_memory: "postgres,events=memory",
    postgres_memory_postgres: "postgres",
    postgres_memory_redis: "postgres,redis,caches=memory",
    postgres_memory_nats: "postgres,nats",
    postgres_redis_memory: "postgres,redis,events=memory",
    postgres_redis_redis: "postgres,redis",
    postgres_redis_nats: "postgres,redis,nats",
    postgres_redis_nats_s3: "postgres,redis,nats,s3",
}

async fn go_through(backends: &str) {
    let settings = [("EMBEDDINGS", "off")];
    let server = Server::part("serve", Backends::named(backends), &settings);
    let ada = server.sign_up("ada").await;
    let artifact = what_is_stored_is_found(&ada).await;
    what_runs_is_watched(&ada, &artifact).await;
    what_changes_counts_at_once(&server, &ada, &artifact).await;
}

async fn what_is_stored_is_found(ada: &User) -> String {
    let body = json!({ "name": "a.txt", "content": "The quick brown fox", "labels": ["animals"] });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&ada.client, &artifact).await;
    let search = json!({
        "query": "foxes and a fox", "mode": "keyword", "filter": { "labels": ["animals"] }
    });
    let found = ada.client.post("/v1/search", search).await.expect(200);
    assert_eq!(found["data"][0]["artifact_id"], artifact["id"], "{found}");
    artifact["id"].as_str().unwrap().to_owned()
}

async fn what_runs_is_watched(ada: &User, artifact: &str) {
    let pipeline = pipeline(
        &ada.client,
        json!({
            "inputs": { "artifact_id": { "type": "string" } },
            "steps": [
                { "id": "extract", "tool": "text.extract",
                  "with": { "artifact_id": "{{ inputs.artifact_id }}" } },
                { "id": "wait", "tool": "time.sleep", "with": { "seconds": 0.1 } },
                { "id": "split", "tool": "text.split", "needs": ["wait"],
                  "with": { "text": "{{ steps.extract.output.text }}" } },
                { "id": "each", "tool": "artifact.write",
                  "for_each": "{{ steps.split.output.chunks }}",
                  "with": { "name": "copy.txt", "content": "{{ item.text }}" } },
            ],
        }),
    )
    .await;
    let run = start(&ada.client, &pipeline, json!({ "artifact_id": artifact })).await;
    let request = ada.client.request(Method::GET, &format!("{run}/events"));
    let mut stream = request.send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while let Some(bytes) = stream.next().await {
        text += std::str::from_utf8(&bytes.unwrap()).unwrap();
    }
    let last = events(&text).pop().unwrap();
    assert_eq!(last.2["status"], "succeeded", "{text}");
    let all = ada.client.get("/v1/artifacts").await.expect(200);
    let named = |artifact: &&Value| artifact["name"] == "copy.txt";
    let copies = all["data"].as_array().unwrap().iter().filter(named).count();
    assert_eq!(copies, 1);
}

async fn what_changes_counts_at_once(server: &Server, ada: &User, artifact: &str) {
    let path = format!("/v1/artifacts/{artifact}");
    ada.client.get(&path).await.expect(200);
    let changed = ada.client.patch(&path, json!({ "name": "b.txt" })).await;
    changed.expect(200);
    assert_eq!(ada.client.get(&path).await.json()["name"], "b.txt");

    let other = ada.sign_in(&server.guest()).await;
    other.client.get("/v1/users/me").await.expect(200);
    let left = other.client.post("/v1/auth/logout", json!({})).await;
    left.expect(204);
    other.client.get("/v1/users/me").await.problem(401);
    ada.client.get("/v1/users/me").await.expect(200);
    ada.client.delete(&path).await.expect(204);
    ada.client.get(&path).await.problem(404);
}
