//! The client against a stand-in of a provider, which is on this machine and answers by script.

mod provider;

use std::{
    error,
    num::NonZero,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use archesai_ai::{
    Completion, CompletionRequest, EmbeddingModel, EmbeddingOptions, Error, Message, OpenAi,
    OpenAiOptions, Retry, Role, Usage,
};
use provider::{Answer, Provider};
use serde_json::{Value, json};

type Test = Result<(), Box<dyn error::Error>>;

fn options(provider: &Provider) -> OpenAiOptions {
    OpenAiOptions {
        timeout: Duration::from_secs(5),
        retry: Retry {
            attempts: 3,
            initial: Duration::from_millis(1),
            max: Duration::from_secs(2),
        },
        ..OpenAiOptions::new(provider.base_url(), Some("sk-secret".to_owned()))
    }
}

fn client(provider: &Provider) -> archesai_ai::Result<OpenAi> {
    OpenAi::new(options(provider))
}

fn embedding_model(provider: &Provider) -> archesai_ai::Result<EmbeddingModel> {
    let options = EmbeddingOptions {
        model: "small".to_owned(),
        dimensions: 2,
        shorten: true,
        batch: NonZero::new(2).unwrap_or(NonZero::<usize>::MIN),
    };
    Ok(EmbeddingModel::new(client(provider)?, options))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn vectors(vectors: &[(usize, [f64; 2])]) -> Answer {
    let item = |(index, embedding): &(usize, [f64; 2])| json!({"object": "embedding", "index": index, "embedding": embedding});
    let data: Vec<_> = vectors.iter().map(item).collect();
    Answer::json(200, &json!({"object": "list", "data": data}))
}

fn question() -> CompletionRequest {
    CompletionRequest {
        model: "large".to_owned(),
        messages: vec![Message {
            role: Role::User,
            content: "why?".to_owned(),
        }],
        temperature: None,
        max_tokens: Some(10),
    }
}

fn reply(content: &Value) -> Answer {
    let body = json!({
        "model": "large-2",
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    });
    Answer::json(200, &body)
}

#[tokio::test]
async fn embeds_in_batches_and_in_order() -> Test {
    let provider = Provider::start([
        vectors(&[(1, [0.0, 2.0]), (0, [1.0, 0.5])]),
        vectors(&[(0, [3.0, 0.0])]),
    ])
    .await?;
    let model = embedding_model(&provider)?;
    let answer = model.embed(texts(&["a", "b", "c"])).await?;
    assert_eq!(answer, [[1.0, 0.5], [0.0, 2.0], [3.0, 0.0]]);

    let requests = provider.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].head.starts_with("POST /v1/embeddings "));
    assert_eq!(
        requests[0].header("authorization"),
        Some("Bearer sk-secret")
    );
    assert_eq!(
        requests[0].body,
        json!({"model": "small", "input": ["a", "b"], "dimensions": 2})
    );
    assert_eq!(requests[1].body["input"], json!(["c"]));
    Ok(())
}

#[tokio::test]
async fn completes() -> Test {
    let provider = Provider::start([reply(&json!("because"))]).await?;
    let answer = client(&provider)?.complete(&question()).await?;
    let expected = Completion {
        text: "because".to_owned(),
        model: Some("large-2".to_owned()),
        finish_reason: Some("stop".to_owned()),
        usage: Some(Usage {
            input_tokens: 7,
            output_tokens: 3,
        }),
    };
    assert_eq!(answer, expected);
    let requests = provider.requests();
    assert!(requests[0].head.starts_with("POST /v1/chat/completions "));
    assert_eq!(
        requests[0].body,
        json!({"model": "large", "messages": [{"role": "user", "content": "why?"}], "max_tokens": 10})
    );
    Ok(())
}

#[tokio::test]
async fn tries_again_when_the_provider_was_busy() -> Test {
    let provider = Provider::start([
        Answer::json(429, &json!({})).header("Retry-After: 1"),
        Answer::text(503, "<html>down</html>"),
        reply(&json!("because")),
    ])
    .await?;
    let started = std::time::Instant::now();
    let answer = client(&provider)?.complete(&question()).await?;
    assert_eq!(answer.text, "because");
    assert_eq!(provider.requests().len(), 3);
    assert!(started.elapsed() >= Duration::from_secs(1), "as was asked");
    Ok(())
}

#[tokio::test]
async fn tries_again_when_an_attempt_came_to_nothing() -> Test {
    for lost in [
        Answer::Silence,
        Answer::Cut,
        Answer::text(408, ""),
        Answer::json(429, &json!({})).header("Retry-After: soon"),
    ] {
        let provider = Provider::start([lost, reply(&json!("because"))]).await?;
        let options = OpenAiOptions {
            timeout: Duration::from_secs(2),
            ..options(&provider)
        };
        let answer = OpenAi::new(options)?.complete(&question()).await?;
        assert_eq!(answer.text, "because");
        assert_eq!(provider.requests().len(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn gives_up_after_the_last_attempt() -> Test {
    let down = || Answer::text(500, "down");
    let provider = Provider::start([down(), down(), down(), down()]).await?;
    let error = client(&provider)?.complete(&question()).await;
    assert!(
        matches!(error, Err(Error::Busy { status: 500, .. })),
        "{error:?}"
    );
    assert_eq!(provider.requests().len(), 3);
    Ok(())
}

#[tokio::test]
async fn leaves_a_long_wait_to_whoever_asked() -> Test {
    let busy = Answer::json(429, &json!({})).header("Retry-After: 30");
    let provider = Provider::start([busy]).await?;
    let error = client(&provider)?.complete(&question()).await;
    let Err(error) = error else {
        return Err("the provider was busy".into());
    };
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(provider.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_why_and_quotes_nobody() -> Test {
    for (status, code, shown) in [
        (
            401,
            json!("invalid_api_key"),
            "does not accept the key (status 401, invalid_api_key)",
        ),
        (404, json!("model_not_found"), "does not know the model"),
        (
            400,
            json!("Key sk-secret!"),
            "refused the request (status 400, invalid_request_error)",
        ),
        (400, json!(null), "(status 400, invalid_request_error)"),
        (429, json!("insufficient_quota"), "insufficient_quota"),
        (307, json!(null), "has moved"),
    ] {
        let body = json!({"error": {"message": "Incorrect API key sk-secret", "code": code,
            "type": "invalid_request_error"}});
        let provider = Provider::start([Answer::json(status, &body)]).await?;
        let error = client(&provider)?.complete(&question()).await;
        let Err(error) = error else {
            return Err("it was refused".into());
        };
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(shown), "{error}");
        assert!(!error.contains("sk-"), "{error}");
        assert_eq!(provider.requests().len(), 1, "asked once");
    }
    Ok(())
}

#[tokio::test]
async fn malformed_vectors_are_refused() -> Test {
    let many = json!({"data": [{"embedding": [1, 0]}, {"embedding": [1, 0]}]});
    for (answer, shown) in [
        (Answer::text(200, "<html>"), "line 1, column 1"),
        (Answer::json(200, &json!({"data": "sk-secret"})), "line 1"),
        (Answer::json(200, &json!({"data": []})), "fewer"),
        (Answer::json(200, &many), "more"),
        (vectors(&[(7, [1.0, 0.0])]), "more"),
        (
            Answer::json(200, &json!({"data": [{"embedding": [1]}]})),
            "1 numbers rather than 2",
        ),
        // Too large for its type: the parser says so, or what checks the numbers after it.
        (
            Answer::json(200, &json!({"data": [{"embedding": [1e300, 0]}]})),
            "not understood",
        ),
    ] {
        let provider = Provider::start([answer]).await?;
        let error = embedding_model(&provider)?.embed(texts(&["a"])).await;
        let Err(error @ Error::Malformed { .. }) = error else {
            return Err(format!("{shown}: {error:?}").into());
        };
        assert!(error.to_string().contains(shown), "{error}");
        assert!(!error.to_string().contains("sk-"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn malformed_completions_are_refused() -> Test {
    for answer in [
        Answer::text(200, ""),
        Answer::text(200, &"[".repeat(100_000)),
        Answer::text(200, "{\"choices\": [{\"message\": {\"content\": \"cut"),
        Answer::json(200, &json!({"choices": []})),
        reply(&json!(null)),
    ] {
        let provider = Provider::start([answer]).await?;
        let error = client(&provider)?.complete(&question()).await;
        assert!(matches!(error, Err(Error::Malformed { .. })), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endless_answer_ends() -> Test {
    let provider = Provider::start([Answer::text(200, &"x".repeat(100_000))]).await?;
    let options = OpenAiOptions {
        max_response_bytes: 1000,
        ..options(&provider)
    };
    let error = OpenAi::new(options)?.complete(&question()).await;
    assert!(matches!(error, Err(Error::Malformed { .. })), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn silence_has_an_end() -> Test {
    let provider = Provider::start([Answer::Silence, Answer::Silence]).await?;
    let options = OpenAiOptions {
        timeout: Duration::from_secs(30),
        deadline: Duration::from_millis(200),
        ..options(&provider)
    };
    let error = OpenAi::new(options)?.complete(&question()).await;
    assert!(matches!(error, Err(Error::Unreachable { .. })), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn nobody_there_is_said_so() -> Test {
    let provider = Provider::start([]).await?;
    let client = client(&provider)?;
    provider.stop().await;
    let error = client.complete(&question()).await;
    let Err(error @ Error::Unreachable { .. }) = error else {
        return Err(format!("{error:?}").into());
    };
    assert_eq!(error.to_string(), "the provider cannot be reached");
    Ok(())
}

/// Everything that any library logs.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        logged.extend([record.target(), " ", &record.args().to_string(), "\n"]);
    }

    fn flush(&self) {}
}

/// Everything that can be seen of an error.
fn shown(error: Error) -> String {
    let mut shown = format!("{error:?}");
    let mut cause: Option<&dyn error::Error> = Some(&error);
    while let Some(error) = cause {
        shown = format!("{shown}\n{error} {error:?}");
        cause = error.source();
    }
    format!("{shown}\n{:?}", archesai_content::Error::from(error))
}

#[tokio::test]
async fn the_key_is_in_no_error_and_no_log() -> Test {
    log::set_logger(&Logger).map_err(|error| error.to_string())?;
    log::set_max_level(log::LevelFilter::Trace);
    let echo = json!({"error": {"message": "sk-secret", "code": "sk-secret", "type": "sk-secret"}});
    for answer in [
        Answer::json(401, &echo),
        Answer::json(429, &echo).header("Retry-After: 30"),
        Answer::json(500, &echo).header("Retry-After: 30"),
        Answer::json(302, &echo).header("Location: /sk-secret"),
        Answer::json(200, &json!("sk-secret")),
        Answer::text(200, "Bearer sk-secret"),
        Answer::Bytes("sk-secret\r\n\r\n".to_owned()),
        Answer::Cut,
        Answer::Silence,
    ] {
        let provider = Provider::start([answer]).await?;
        let options = OpenAiOptions {
            timeout: Duration::from_secs(2),
            retry: Retry {
                attempts: 1,
                ..Retry::default()
            },
            ..options(&provider)
        };
        let answer = OpenAi::new(options)?.complete(&question()).await;
        let Err(error) = answer else {
            return Err(format!("{answer:?}").into());
        };
        let shown = shown(error);
        assert!(!shown.contains("sk-secret"), "{shown}");
        let sent = &provider.requests()[0];
        assert_eq!(sent.header("authorization"), Some("Bearer sk-secret"));
    }
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(logged.contains("reqwest"), "something is logged: {logged}");
    assert!(!logged.contains("sk-secret"), "{logged}");
    Ok(())
}
