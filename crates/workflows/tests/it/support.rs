//! A service over stand-ins whose time and tools the tests control.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use archesai_workflows::{
    Actor, Adapters, Call, Cancellation, Clock, Definitions, Ids, Invocation, Json, Log, LogLevel,
    NewPipeline, OrganizationId, Outcome, Pipeline, PipelineId, Prepared, Run, RunId, Service,
    Settings, Slice, StepRun, ToolError, ToolSpec, UserId, Violation, WorkerId,
    engine::{Claim, Policy},
    ports::{StepSort, Toolbox, Wakeups},
};

pub(crate) use crate::embedding::{
    expressions::{AtOnce, Paths},
    store::MemoryStore,
};

pub(crate) const ORGANIZATION: OrganizationId = OrganizationId(7);
pub(crate) const ME: Actor = Actor {
    organization_id: ORGANIZATION,
    user_id: UserId(8),
};
pub(crate) const WORKER: WorkerId = WorkerId(1);

type Script = dyn Fn(&Invocation<'_>) -> Result<Outcome, ToolError> + Send + Sync;

/// One tool, `do`, that takes anything under `value` and does what the test says.
pub(crate) struct Scripted {
    specs: Vec<ToolSpec>,
    script: Box<Script>,
    /// The `value` of every call, in order.
    pub(crate) calls: Mutex<Vec<Json>>,
}

impl Scripted {
    pub(crate) fn new(
        script: impl Fn(&Invocation<'_>) -> Result<Outcome, ToolError> + Send + Sync + 'static,
    ) -> Self {
        let schema = r#"{
            "type": "object",
            "properties": {"value": {}, "times": {"type": "integer"}, "mode": {"enum": ["a", "b"]},
                "nested": {"type": "object", "required": ["x"], "properties": {"x": {"type": ["string", "null"]}}},
                "list": {"type": "array", "items": {"type": "number"}}},
            "required": ["value"],
            "additionalProperties": false
        }"#;
        Self {
            specs: vec![ToolSpec {
                name: "do".to_owned(),
                description: "does what the test says".to_owned(),
                input_schema: json(schema),
                output_schema: Json::Bool(true),
            }],
            script: Box::new(script),
            calls: Mutex::default(),
        }
    }
}

impl Toolbox for Scripted {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    fn check(&self, _tool: &str, input: &Json) -> Vec<Violation> {
        let mut violations = Vec::new();
        if input.get("value").is_none() {
            violations.push(Violation::new("", "`value` is missing"));
        }
        if input
            .get("times")
            .is_some_and(|times| times.as_integer().is_none())
        {
            violations.push(Violation::new("/times", "must be an integer"));
        }
        violations
    }

    async fn call(&self, call: Invocation<'_>) -> Result<Outcome, ToolError> {
        let value = call.input.get("value").cloned().unwrap_or_default();
        self.calls.lock().unwrap().push(value);
        (self.script)(&call)
    }
}

/// Answers what it was given.
#[expect(clippy::unnecessary_wraps, reason = "it has the shape of a script")]
pub(crate) fn echo(call: &Invocation<'_>) -> Result<Outcome, ToolError> {
    let value = call.input.get("value").cloned();
    Ok(Outcome::Done(value.unwrap_or_default()))
}

/// A clock that stands still until the test moves it.
#[derive(Debug)]
pub(crate) struct Manual(Mutex<SystemTime>);

impl Manual {
    pub(crate) fn forward(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicUsize);

impl Wakeups for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Listens to no tool and stops none.
pub(crate) struct Quiet;

impl Log for Quiet {
    fn write(&self, _level: LogLevel, _message: &str) {}
}

impl Cancellation for Quiet {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

pub(crate) struct Test;

impl Adapters for Test {
    type Store = MemoryStore;
    type Toolbox = Scripted;
    type Expressions = Paths;
}

pub(crate) struct World {
    pub(crate) service: Service<Test>,
    pub(crate) clock: Arc<Manual>,
    pub(crate) bell: Arc<Bell>,
}

impl World {
    pub(crate) fn new(
        script: impl Fn(&Invocation<'_>) -> Result<Outcome, ToolError> + Send + Sync + 'static,
    ) -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let clock = Arc::new(Manual(Mutex::new(start)));
        let bell = Arc::new(Bell::default());
        let service = Service {
            store: MemoryStore::default(),
            toolbox: Arc::new(Scripted::new(script)),
            expressions: Arc::new(Paths),
            pool: Arc::new(AtOnce),
            wakeups: bell.clone(),
            clock: clock.clone(),
            ids: Arc::new(Counter::default()),
            definitions: Definitions::default(),
            settings: Settings {
                policy: Policy {
                    retry_scale: 0.0,
                    ..Policy::default()
                },
                ..Settings::default()
            },
        };
        Self {
            service,
            clock,
            bell,
        }
    }

    /// How often workers were woken up.
    pub(crate) fn wakes(&self) -> usize {
        self.bell.0.load(Ordering::Relaxed)
    }

    pub(crate) async fn pipeline(&self, definition: &str) -> Pipeline {
        let new = NewPipeline {
            id: PipelineId(self.service.ids.next()),
            name: "p".to_owned(),
            description: None,
            definition: json(definition),
        };
        self.service.create_pipeline(ME, new).await.unwrap()
    }

    pub(crate) async fn start(&self, definition: &str, input: &str) -> Run {
        let pipeline = self.pipeline(definition).await;
        let input = json(input);
        self.start_again(pipeline.id, &input).await
    }

    /// Starts a run of a pipeline that is there.
    pub(crate) async fn start_again(&self, pipeline: PipelineId, input: &Json) -> Run {
        let id = RunId(self.service.ids.next());
        let run = self.service.start_run(ME, id, pipeline, input);
        run.await.unwrap()
    }

    /// One claim, or none.
    pub(crate) async fn claim(&self, worker: WorkerId) -> Option<Claim> {
        self.service.claim(worker, 1).await.unwrap().pop()
    }

    /// Claims a step and prepares its call.
    pub(crate) async fn claim_call(&self, worker: WorkerId) -> Call {
        let claim = self.claim(worker).await.expect("a step is ready");
        match self.service.prepare(&claim).await.unwrap() {
            Prepared::Call(call) => call,
            Prepared::Ended(_) => panic!("step {} was not to end here", claim.step.step),
        }
    }

    /// Works on a claim, and on those it leads to.
    pub(crate) async fn work(&self, claim: Claim) {
        let mut next = Some(claim);
        while let Some(claim) = next {
            next = match self.service.prepare(&claim).await.unwrap() {
                Prepared::Ended(next) => next,
                Prepared::Call(call) => {
                    let result = self.service.call(&call, &Quiet, &Quiet).await;
                    self.service.finish(&call, result).await.unwrap()
                }
            };
        }
    }

    /// Works until nothing is due.
    pub(crate) async fn drain(&self) {
        while let Some(claim) = self.claim(WORKER).await {
            self.work(claim).await;
        }
    }

    /// Starts a run and works until nothing is due.
    pub(crate) async fn finish(&self, definition: &str, input: &str) -> Run {
        let run = self.start(definition, input).await;
        self.drain().await;
        self.run(run.id).await
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.service.run(ORGANIZATION, id).await.unwrap()
    }

    pub(crate) async fn steps(&self, run: RunId) -> Vec<StepRun> {
        let slice = Slice {
            limit: 1_000,
            after: None,
            sort: StepSort::CreatedAt,
            descending: false,
        };
        let page = self.service.list_steps(ORGANIZATION, run, &slice).await;
        page.unwrap().items
    }

    /// A step, not an item of one.
    pub(crate) async fn step(&self, run: RunId, id: &str) -> StepRun {
        let steps = self.steps(run).await.into_iter();
        let mut found = steps.filter(|step| step.step == id && step.index.is_none());
        found.next().expect("the run has this step")
    }

    /// What the tool was called with so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.service.toolbox.calls.lock().unwrap();
        calls.iter().map(Json::to_string).collect()
    }

    /// The kinds of the events so far, without those of pipelines.
    pub(crate) async fn events(&self) -> Vec<&'static str> {
        let events = self.service.store.events().await;
        let kinds = events.iter().map(|event| event.event.kind());
        kinds.filter(|kind| !kind.starts_with("pipeline")).collect()
    }
}

pub(crate) fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}
