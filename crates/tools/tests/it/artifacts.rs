//! Tools that read and write artifacts.

use archesai_content::ArtifactId;
use serde_json::json;

use crate::{
    bench::{ACTOR, Bench, Cancelled, STRANGER},
    memory::{MemoryArtifacts, OnePage},
};

#[tokio::test]
async fn the_text_of_a_pdf_is_extracted_with_its_pages() {
    let bench = Bench::default();
    let id = bench.keep("fhs-3.0.pdf", "application/pdf");
    let output = bench
        .call("text.extract", json!({"artifact_id": id}))
        .await
        .unwrap();
    let text = output["text"].as_str().unwrap();
    assert!(text.contains("Filesystem Hierarchy Standard"));
    assert_eq!(output["chars"], text.chars().count());
    assert_eq!(output["sections"][0]["kind"], "page");
    let told = bench.told();
    assert!(
        told.starts_with("extracted ") && told.ends_with(" pages"),
        "{told}"
    );
}

#[tokio::test]
async fn a_document_that_is_text_is_extracted_too() {
    let bench = Bench::default();
    let input = json!({"text": "<h1>Hi</h1><p>there", "media_type": "text/html"});
    let output = bench.call("text.extract", input).await.unwrap();
    assert_eq!(output["sections"][0]["title"], "Hi");
    let output = bench
        .call("text.extract", json!({"text": "a < b"}))
        .await
        .unwrap();
    assert_eq!(output["text"], "a < b");
}

#[tokio::test]
async fn documents_without_text_fail_for_good() {
    let bench = Bench::default();
    for (media_type, bytes, code) in [
        (
            "application/pdf",
            b"%PDF-1.7 but no more".as_slice(),
            "damaged_file",
        ),
        ("image/png", b"\x89PNG", "unsupported_media_type"),
    ] {
        let id = bench
            .artifacts
            .keep(ACTOR, "a", media_type, bytes)
            .to_string();
        let error = bench.fail("text.extract", json!({"artifact_id": id})).await;
        assert_eq!((error.code.as_str(), error.retryable), (code, false));
    }
}

#[tokio::test]
async fn artifacts_of_others_do_not_exist() {
    let bench = Bench::default();
    let mine = bench.keep("social-contract.txt", "text/plain");
    let nobodys = ArtifactId(77).to_string();
    for tool in ["text.extract", "artifact.read", "embedding.create"] {
        let mut messages = Vec::new();
        for id in [&mine, &nobodys] {
            let mut input = json!({"artifact_id": id});
            if tool == "embedding.create" {
                input["text"] = json!("a");
            }
            let refused = bench
                .attempt(tool, input, STRANGER, 0, &Cancelled(false))
                .await;
            let error = refused.unwrap_err();
            assert_eq!(
                (error.code.as_str(), error.retryable),
                ("artifact_not_found", false)
            );
            messages.push(error.message.replace(id.as_str(), "it"));
        }
        assert_eq!(messages[0], messages[1]);
    }
}

#[tokio::test]
async fn an_artifact_is_read_with_the_text_of_the_index_or_as_it_will_be() {
    let bench = Bench::default();
    let id = bench.keep("social-contract.txt", "text/plain");
    let output = bench
        .call("artifact.read", json!({"artifact_id": id}))
        .await
        .unwrap();
    assert_eq!(output["name"], "social-contract.txt");
    assert!(output["text"].as_str().unwrap().contains("Debian"));
    bench.artifacts.index(id.parse().unwrap(), "indexed");
    let output = bench
        .call("artifact.read", json!({"artifact_id": id}))
        .await
        .unwrap();
    assert_eq!(output["text"], "indexed");
    let image = bench
        .artifacts
        .keep(ACTOR, "a.png", "image/png", b"\x89PNG")
        .to_string();
    let output = bench
        .call("artifact.read", json!({"artifact_id": image}))
        .await
        .unwrap();
    assert_eq!(output["text"], json!(null));
    assert!(
        bench.told().contains("it has no text: "),
        "{}",
        bench.told()
    );
}

#[tokio::test]
async fn a_step_that_is_tried_again_stores_its_artifact_once() {
    let bench = Bench::default();
    let input = json!({
        "name": "a.md", "content": "grüße", "media_type": "text/markdown",
        "metadata": {"n": 1}, "labels": ["x"],
    });
    let first = bench.call("artifact.write", input.clone()).await.unwrap();
    let again = bench.call("artifact.write", input).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(bench.artifacts.count(), 1);
    assert_eq!(first["size"], 7);
    let id: ArtifactId = first["artifact_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id, ArtifactId(4), "it is the id of the step run");
    let artifact = bench.artifacts.artifact(id);
    assert_eq!(artifact.labels, ["x"]);
    assert_eq!(artifact.metadata.to_string(), r#"{"n":1}"#);
    assert_eq!(
        artifact.created_by.map(|user| user.0),
        Some(ACTOR.user_id.0)
    );
    assert!(
        bench.told().starts_with("stored a.md with 7 bytes"),
        "{}",
        bench.told()
    );
}

#[tokio::test]
async fn a_value_is_stored_as_json() {
    let bench = Bench::default();
    let input = json!({"name": "a", "content": {"b": [1, null]}});
    let output = bench.call("artifact.write", input).await.unwrap();
    assert_eq!(output["media_type"], "application/json");
    assert_eq!(bench.artifacts.content(ArtifactId(4)), br#"{"b":[1,null]}"#);
    let error = bench
        .fail("artifact.write", json!({"name": " ", "content": ""}))
        .await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("invalid_input", false)
    );
}

#[tokio::test]
async fn texts_are_embedded() {
    let bench = Bench::default();
    let output = bench.call(
        "embedding.create",
        json!({"texts": ["aab", {"text": "c", "index": 1}]}),
    );
    assert_eq!(
        output.await.unwrap(),
        json!({"model": "letters", "dimensions": 3, "count": 2, "embeddings": [[0.2, 0.1, 0.0], [0.0, 0.0, 0.1]]})
    );
    let output = bench
        .call("embedding.create", json!({"text": "b"}))
        .await
        .unwrap();
    assert_eq!(output["count"], 1);
    let error = bench
        .fail("embedding.create", json!({"texts": ["a", " "]}))
        .await;
    assert_eq!(error.code, "invalid_input");
    assert!(error.message.starts_with("text 1"), "{error}");
}

#[tokio::test]
async fn chunks_become_the_passages_of_an_artifact_and_are_found() {
    let bench = Bench::default();
    let id = bench.keep("social-contract.txt", "text/plain");
    let read = bench
        .call("artifact.read", json!({"artifact_id": id}))
        .await
        .unwrap();
    let split = bench
        .call("text.split", json!({"text": read["text"]}))
        .await
        .unwrap();
    let input = json!({"texts": split["chunks"], "artifact_id": id});
    let output = bench.call("embedding.create", input).await.unwrap();
    assert_eq!(output.get("embeddings"), None);
    assert_eq!(output["count"], split["count"]);
    let whole = read["text"].as_str().unwrap();
    for passage in bench.artifacts.passages(id.parse().unwrap()) {
        let place = |byte: u64| usize::try_from(byte).unwrap();
        assert_eq!(
            &whole[place(passage.start)..place(passage.end)],
            passage.text
        );
    }
    let found = bench
        .call(
            "artifact.search",
            json!({"query": "free software", "limit": 1}),
        )
        .await;
    let found = found.unwrap();
    assert_eq!(found["results"][0]["artifact_id"], id);
    assert!(
        bench.told().ends_with("found 1 passage"),
        "{}",
        bench.told()
    );
}

#[tokio::test]
async fn without_a_model_embedding_says_so() {
    let bench = Bench::with(MemoryArtifacts::default(), OnePage::new(200, &[], b""));
    let error = bench.fail("embedding.create", json!({"text": "a"})).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("no_embedding_model", false)
    );
}

#[tokio::test]
async fn what_is_down_may_come_back_and_keeps_its_secrets() {
    let bench = Bench::with(MemoryArtifacts::down(), OnePage::new(200, &[], b""));
    let id = ArtifactId(7).to_string();
    let error = bench
        .fail("artifact.read", json!({"artifact_id": id}))
        .await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("unavailable", true)
    );
    assert!(!error.message.contains("hunter2"));
}
