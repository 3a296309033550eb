//! The tools on their real capabilities: the embedded database, the disk, and a server on this machine.

use std::{future::pending, pin::Pin, sync::Arc};

use archesai_content::{ArtifactFilter, ArtifactSort, OrganizationId, Slice};
use archesai_tools::convert::{to_json, to_value};
use archesai_workflows::{
    Cancellation, Invocation, Log, LogLevel, Outcome, RunId, StepRunId, ToolError,
    ports::Toolbox as _,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::{
    compose::{ContentAdapters, Infrastructure, WorkflowsAdapters, content, workflows},
    config::Config,
};

/// The services that tools use, in a folder that goes away with them.
struct Bench {
    content: Arc<archesai_content::Service<ContentAdapters>>,
    workflows: archesai_workflows::Service<WorkflowsAdapters>,
    _folder: TempDir,
}

struct Silence;

impl Log for Silence {
    fn write(&self, _: LogLevel, _: &str) {}
}

impl Cancellation for Silence {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(pending())
    }
}

impl Bench {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec![("data_dir", folder.path().to_str().unwrap())];
        if !settings.iter().any(|(name, _)| *name == "embeddings") {
            all.push(("embeddings", "off"));
        }
        all.extend_from_slice(settings);
        let config = Config::with(&all);
        let infrastructure = Infrastructure::open(&config).await.unwrap();
        let content = Arc::new(content::compose(&config, &infrastructure).await.unwrap());
        let workflows = workflows::compose(&config, &infrastructure, &content).unwrap();
        Self {
            content,
            workflows,
            _folder: folder,
        }
    }

    async fn call(&self, organization: u128, tool: &str, input: Value) -> Result<Value, ToolError> {
        let input = to_json(input);
        let outcome = self.workflows.toolbox.call(Invocation {
            tool,
            input: &input,
            organization_id: archesai_workflows::OrganizationId(organization),
            user_id: archesai_workflows::UserId(5),
            run_id: RunId(6),
            step_run_id: StepRunId(7),
            attempt: 1,
            sleeps: 0,
            log: &Silence,
            cancellation: &Silence,
        });
        match outcome.await? {
            Outcome::Done(output) => Ok(to_value(&output)),
            other => panic!("{tool} is not done: {other:?}"),
        }
    }

    async fn fail(&self, tool: &str, input: Value) -> (String, bool) {
        let error = self.call(1, tool, input).await.unwrap_err();
        (error.code, error.retryable)
    }
}

/// A server that gives every request one answer, and tells what it was asked. Answers its address.
async fn server(
    status: &'static str,
    body: &'static str,
) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !is_complete(&asked) {
                let read = stream.read_buf(&mut asked).await.unwrap();
                if read == 0 {
                    break;
                }
            }
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            drop(sender.send(String::from_utf8(asked).unwrap()));
        }
    });
    (format!("http://{address}"), receiver)
}

/// Whether a request has come to its end.
fn is_complete(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_is_written_once_read_extracted_and_nobody_elses() {
    let bench = Bench::new(&[]).await;
    let input = json!({"name": "a.html", "content": "<h1>Title</h1><p>Words", "labels": ["x"]});
    let first = bench
        .call(1, "artifact.write", input.clone())
        .await
        .unwrap();
    let again = bench.call(1, "artifact.write", input).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(first["media_type"], "text/html");
    let organization = OrganizationId(1);
    let slice = Slice {
        limit: 10,
        after: None,
        sort: ArtifactSort::CreatedAt,
        descending: false,
    };
    let all = bench
        .content
        .list_artifacts(organization, ArtifactFilter::default(), &slice);
    let all = all.await.unwrap().items;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].created_by.map(|user| user.0), Some(5));
    let id = json!({"artifact_id": first["artifact_id"]});
    let extracted = bench.call(1, "text.extract", id.clone()).await.unwrap();
    assert_eq!(extracted["text"], "Title\n\nWords");
    let read = bench.call(1, "artifact.read", id.clone()).await.unwrap();
    assert_eq!(read["labels"], json!(["x"]));
    let refused = bench.call(2, "artifact.read", id).await.unwrap_err();
    assert_eq!(refused.code, "artifact_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_indexed_is_found_by_its_words() {
    let bench = Bench::new(&[]).await;
    let input = json!({"name": "a.txt", "content": "the quick brown fox"});
    let written = bench.call(1, "artifact.write", input).await.unwrap();
    while let Some(work) = bench.content.claim_work().await.unwrap() {
        bench.content.work(&work).await.unwrap();
    }
    let found = bench
        .call(1, "artifact.search", json!({"query": "fox"}))
        .await
        .unwrap();
    assert_eq!(found["results"][0]["artifact_id"], written["artifact_id"]);
    let found = bench
        .call(2, "artifact.search", json!({"query": "fox"}))
        .await
        .unwrap();
    assert_eq!(found["results"], json!([]));
    let semantic = json!({"query": "fox", "mode": "semantic"});
    assert_eq!(
        bench.fail("artifact.search", semantic).await.0,
        "no_embedding_model"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_become_passages_by_a_provider() {
    let answer = r#"{"data":[{"index":0,"embedding":[3.0,4.0]}]}"#;
    let (url, mut asked) = server("200 OK", answer).await;
    let bench = Bench::new(&[
        ("embeddings", "openai"),
        ("embedding_url", &url),
        ("embedding_model", "two"),
        ("embedding_dimensions", "2"),
    ])
    .await;
    let written = bench.call(
        1,
        "artifact.write",
        json!({"name": "a.txt", "content": "fox"}),
    );
    let id = written.await.unwrap()["artifact_id"].clone();
    let input = json!({"texts": [{"text": "fox"}], "artifact_id": id});
    let output = bench.call(1, "embedding.create", input).await.unwrap();
    assert_eq!(output, json!({"model": "two", "dimensions": 2, "count": 1}));
    assert!(asked.recv().await.unwrap().starts_with("POST /embeddings "));
    let semantic = json!({"query": "animal", "mode": "semantic"});
    let found = bench.call(1, "artifact.search", semantic).await.unwrap();
    assert_eq!(found["results"][0]["text"], "fox");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_reach_what_is_open_and_nothing_else() {
    let (url, mut asked) = server("503 Service Unavailable", "[1]").await;
    let input = json!({"url": url, "method": "POST", "body": "hello"});
    let closed = Bench::new(&[]).await;
    assert_eq!(
        closed.fail("http.request", input.clone()).await,
        ("address_refused".to_owned(), false)
    );
    let scheme = json!({"url": "file:///etc/passwd"});
    assert_eq!(
        closed.fail("http.request", scheme).await,
        ("invalid_request".to_owned(), false)
    );

    let open = Bench::new(&[("egress_allow", "127.0.0.1")]).await;
    let output = open.call(1, "http.request", input).await.unwrap();
    assert_eq!(
        (&output["status"], &output["json"]),
        (&json!(503), &json!([1]))
    );
    let asked = asked.recv().await.unwrap();
    let key = format!("idempotency-key: {}", StepRunId(7));
    assert!(asked.contains(&key) && asked.ends_with("hello"), "{asked}");

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let input = json!({"url": format!("http://127.0.0.1:{port}")});
    assert_eq!(
        open.fail("http.request", input).await,
        ("connection_failed".to_owned(), true)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_model_answers_or_says_why_not() {
    let answer = r#"{"model":"m-1","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let (url, mut asked) = server("200 OK", answer).await;
    let bench = Bench::new(&[("llm_url", &url), ("llm_model", "m")]).await;
    let output = bench
        .call(1, "llm.complete", json!({"prompt": "Hello"}))
        .await
        .unwrap();
    let usage = json!({"input_tokens": 3, "output_tokens": 1});
    assert_eq!(
        output,
        json!({"text": "Hi", "model": "m-1", "finish_reason": "stop", "usage": usage})
    );
    assert!(asked.recv().await.unwrap().contains(r#""model":"m""#));

    let (url, _asked) = server("401 Unauthorized", "{}").await;
    let bench = Bench::new(&[("llm_url", &url)]).await;
    let unnamed = bench.fail("llm.complete", json!({"prompt": "Hello"})).await;
    assert_eq!(unnamed, ("no_language_model".to_owned(), false));
    let refused = bench
        .fail("llm.complete", json!({"prompt": "Hello", "model": "m"}))
        .await;
    assert_eq!(refused, ("provider_refused".to_owned(), false));
}
