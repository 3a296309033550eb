//! Runs pipelines inside another program: the workflows domain with a store in
//! memory, two tools and the simplest of expression languages.

pub(crate) mod expressions;
pub(crate) mod store;

use std::{
    collections::BTreeMap,
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use archesai_workflows::{
    Actor, Adapters, Cancellation, Clock, Definitions, Ids, Invocation, Json, Log, LogLevel,
    NewPipeline, OrganizationId, Outcome, PipelineId, Prepared, RunId, RunStatus, Service,
    Settings, ToolError, ToolSpec, UserId, Violation, WorkerId,
    ports::{Toolbox, Wakeups},
};
use expressions::{AtOnce, Paths};
use store::MemoryStore;

/// The tools `text.upper` and `text.repeat`.
#[derive(Debug)]
struct TextTools(Vec<ToolSpec>);

impl TextTools {
    fn new() -> Self {
        let spec = |name: &str, description: &str| ToolSpec {
            name: name.to_owned(),
            description: description.to_owned(),
            input_schema: Json::Object(BTreeMap::new()),
            output_schema: Json::Object(BTreeMap::new()),
        };
        Self(vec![
            spec("text.repeat", "writes a text twice"),
            spec("text.upper", "writes a text in capitals"),
        ])
    }
}

impl Toolbox for TextTools {
    fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    fn check(&self, _tool: &str, input: &Json) -> Vec<Violation> {
        match input.get("text").and_then(Json::as_text) {
            Some(_) => Vec::new(),
            None => vec![Violation::new("/text", "must be a string")],
        }
    }

    async fn call(&self, call: Invocation<'_>) -> Result<Outcome, ToolError> {
        let text = call.input.get("text").and_then(Json::as_text);
        let text = text.unwrap_or_default();
        call.log.write(LogLevel::Info, "writing");
        match call.tool {
            "text.upper" => Ok(Outcome::Done(Json::from(text.to_uppercase()))),
            "text.repeat" => Ok(Outcome::Done(Json::from(text.repeat(2)))),
            _ => Err(ToolError::permanent(
                "unknown_tool",
                "there is no such tool",
            )),
        }
    }
}

/// The clock of the machine.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that asks")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Ids that count from 1.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Wakes nobody: this program looks for work itself.
#[derive(Debug)]
struct Alone;

impl Wakeups for Alone {
    fn wake(&self) {}
}

/// Prints what tools tell, and never stops them.
#[derive(Debug)]
struct Console;

impl Log for Console {
    fn write(&self, level: LogLevel, message: &str) {
        println!("{level}: {message}");
    }
}

impl Cancellation for Console {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// What this program brings.
#[derive(Debug)]
struct Brought;

impl Adapters for Brought {
    type Store = MemoryStore;
    type Toolbox = TextTools;
    type Expressions = Paths;
}

const DEFINITION: &str = r#"{
    "inputs": {"name": {"type": "string"}},
    "steps": [
        {"id": "shout", "tool": "text.upper", "with": {"text": "hello {{ inputs.name }}! "}},
        {"id": "twice", "tool": "text.repeat", "with": {"text": "{{ steps.shout.output }}"}}
    ],
    "outputs": {"greeting": "{{ steps.twice.output }}"}
}"#;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let service = Service::<Brought> {
        store: MemoryStore::default(),
        toolbox: Arc::new(TextTools::new()),
        expressions: Arc::new(Paths),
        pool: Arc::new(AtOnce),
        wakeups: Arc::new(Alone),
        clock: Arc::new(SystemClock),
        ids: Arc::new(Counter::default()),
        definitions: Definitions::default(),
        settings: Settings::default(),
    };
    let me = Actor {
        organization_id: OrganizationId(1),
        user_id: UserId(1),
    };

    let pipeline = service
        .create_pipeline(
            me,
            NewPipeline {
                id: PipelineId(service.ids.next()),
                name: "greet".to_owned(),
                description: None,
                definition: serde_json::from_str(DEFINITION)?,
            },
        )
        .await?;
    let input = serde_json::from_str(r#"{"name": "world"}"#)?;
    let id = RunId(service.ids.next());
    let run = service.start_run(me, id, pipeline.id, &input).await?;

    let mut claims = service.claim(WorkerId(1), 1).await?;
    while let Some(claim) = claims.pop() {
        let next = match service.prepare(&claim).await? {
            Prepared::Call(call) => {
                let result = service.call(&call, &Console, &Console).await;
                service.finish(&call, result).await?
            }
            Prepared::Ended(next) => next,
        };
        claims.extend(next);
    }

    let run = service.run(me.organization_id, run.id).await?;
    let output = run.output.unwrap_or_default();
    for event in service.store.events().await {
        println!("{}", event.event.kind());
    }
    println!("{} at {}: {output}", run.status, run.progress);
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.progress, 10_000);
    assert_eq!(
        output.get("greeting"),
        Some(&Json::from("HELLO WORLD! HELLO WORLD! "))
    );
    Ok(())
}
