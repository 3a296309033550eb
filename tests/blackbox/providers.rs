//! Models behind an OpenAI-compatible API, played by a stand-in.

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::{
    content::indexed,
    pipelines::{ended, pipeline, start},
    support::Server,
};

/// Answers as the API of that shape does: vectors that count letters, and an echo for a chat.
fn provider() -> String {
    let embeddings = async |body: web::Json<Value>| {
        let texts = body["input"].as_array().cloned().unwrap_or_default();
        let data: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "index": index, "embedding": letters(text.as_str().unwrap()) }))
            .collect();
        HttpResponse::Ok().json(json!({ "data": data, "model": body["model"] }))
    };
    let chat = async |body: web::Json<Value>| {
        let said = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        let message = json!({ "role": "assistant", "content": format!("you said {said}") });
        HttpResponse::Ok().json(json!({
            "model": body["model"],
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 },
        }))
    };
    let server = HttpServer::new(move || {
        App::new()
            .route("/v1/embeddings", web::post().to(embeddings))
            .route("/v1/chat/completions", web::post().to(chat))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    format!("http://{address}/v1")
}

fn letters(text: &str) -> Vec<f32> {
    let mut counts = vec![0.0; 26];
    for letter in text.bytes().filter(u8::is_ascii_lowercase) {
        counts[usize::from(letter - b'a')] += 1.0;
    }
    counts
}

#[tokio::test]
async fn embeddings_and_completions_come_from_a_provider() {
    let url = provider();
    let server = Server::with(&[
        ("EMBEDDINGS", "openai"),
        ("EMBEDDING_URL", &url),
        ("EMBEDDING_MODEL", "letters"),
        ("EMBEDDING_DIMENSIONS", "26"),
        ("LLM_URL", &url),
        ("LLM_MODEL", "echo"),
    ]);
    let ada = server.sign_up("ada").await;
    for name in ["aaaa bbbb", "zzzz yyyy"] {
        let body = json!({ "name": name, "content": name });
        let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
        assert_eq!(
            indexed(&ada.client, &artifact).await["index_status"],
            "indexed"
        );
    }
    let body = json!({ "query": "yz", "mode": "semantic" });
    let hits = ada.client.post("/v1/search", body).await.expect(200);
    assert_eq!(hits["data"][0]["artifact_name"], "zzzz yyyy");

    let definition = json!({
        "steps": [{ "id": "ask", "tool": "llm.complete", "with": { "prompt": "hello" } }],
        "outputs": { "text": "{{ steps.ask.output.text }}" },
    });
    let pipeline = pipeline(&ada.client, definition).await;
    let run = start(&ada.client, &pipeline, json!({})).await;
    let over = ended(&ada.client, &run).await;
    assert_eq!(over["status"], "succeeded", "{over}");
    assert!(over["output"]["text"].as_str().unwrap().contains("hello"));
}
