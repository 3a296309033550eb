//! The tool that asks language models.

use std::sync::Arc;

use archesai_tools::{
    Extractor, Parts, Toolbox,
    capabilities::{Message, Role},
};
use serde_json::json;

use crate::{
    bench::Bench,
    memory::{MemoryArtifacts, OnePage, Still},
};

#[tokio::test]
async fn a_prompt_is_answered() {
    let bench = Bench::default();
    let input =
        json!({"prompt": "hello", "system": "be loud", "max_tokens": 5, "temperature": 0.5});
    let output = bench.call("llm.complete", input).await.unwrap();
    assert_eq!(
        output,
        json!({
            "text": "HELLO", "model": "parrot", "finish_reason": "stop",
            "usage": {"input_tokens": 1_200, "output_tokens": 7},
        })
    );
    let asked = bench.model.0.lock().unwrap().pop().unwrap();
    let message = |role, content: &str| Message {
        role,
        content: content.to_owned(),
    };
    let said = [
        message(Role::System, "be loud"),
        message(Role::User, "hello"),
    ];
    assert_eq!(asked.messages, said);
    assert_eq!((asked.max_tokens, asked.temperature), (Some(5), Some(0.5)));
    assert_eq!(
        bench.told(),
        "parrot answered 5 characters; it read 1,200 tokens and wrote 7"
    );
}

#[tokio::test]
async fn a_conversation_goes_on() {
    let bench = Bench::default();
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "b"},
    ]);
    let input = json!({"messages": messages, "model": "other"});
    let output = bench.call("llm.complete", input).await.unwrap();
    assert_eq!(
        (output["text"].as_str(), output["model"].as_str()),
        (Some("B"), Some("other"))
    );
}

#[tokio::test]
async fn without_a_model_it_says_what_to_set() {
    let mut bench = Bench::default();
    bench.toolbox = Toolbox::new(&Parts {
        artifacts: Arc::new(MemoryArtifacts::default()),
        language_model: None,
        web: Arc::new(OnePage::new(200, &[], b"")),
        extractor: Extractor::default(),
        clock: Arc::new(Still),
    })
    .unwrap();
    let error = bench.fail("llm.complete", json!({"prompt": "hello"})).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("no_language_model", false)
    );
    assert!(error.message.contains("llm_url"), "{error}");
}
