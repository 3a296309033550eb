//! A workbench: a toolbox with its capabilities, and calls of its tools.

use std::{
    future::pending,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
};

use archesai_tools::{
    Extractor, Parts, Toolbox,
    convert::{to_json, to_value},
    schema::Schema,
};
use archesai_workflows::{
    Actor, Cancellation, Invocation, Log, LogLevel, OrganizationId, Outcome, RunId, StepRunId,
    ToolError, UserId, Violation, ports::Toolbox as _,
};
use serde_json::Value;

use crate::memory::{MemoryArtifacts, OnePage, Parrot, Still};

/// Who calls, unless it is said.
pub(crate) const ACTOR: Actor = Actor {
    organization_id: OrganizationId(1),
    user_id: UserId(2),
};

/// Somebody of another organization.
pub(crate) const STRANGER: Actor = Actor {
    organization_id: OrganizationId(9),
    user_id: UserId(2),
};

/// A toolbox with its capabilities.
pub(crate) struct Bench {
    pub(crate) toolbox: Toolbox,
    pub(crate) artifacts: Arc<MemoryArtifacts>,
    pub(crate) model: Arc<Parrot>,
    pub(crate) web: Arc<OnePage>,
    log: Lines,
}

/// Keeps what tools tell.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Log for Lines {
    fn write(&self, _: LogLevel, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// Nobody cancels, or somebody did.
pub(crate) struct Cancelled(pub(crate) bool);

impl Cancellation for Cancelled {
    fn is_cancelled(&self) -> bool {
        self.0
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        if self.0 {
            Box::pin(async {})
        } else {
            Box::pin(pending())
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::with(MemoryArtifacts::with_model(), OnePage::new(200, &[], b""))
    }
}

impl Bench {
    pub(crate) fn with(artifacts: MemoryArtifacts, web: OnePage) -> Self {
        let (artifacts, model) = (Arc::new(artifacts), Arc::new(Parrot::default()));
        let web = Arc::new(web);
        let parts = Parts {
            artifacts: Arc::clone(&artifacts) as _,
            language_model: Some(Arc::clone(&model) as _),
            web: Arc::clone(&web) as _,
            extractor: Extractor::default(),
            clock: Arc::new(Still),
        };
        Self {
            toolbox: Toolbox::new(&parts).unwrap(),
            artifacts,
            model,
            web,
            log: Lines::default(),
        }
    }

    /// Keeps one of the sample documents as an artifact.
    pub(crate) fn keep(&self, name: &str, media_type: &str) -> String {
        self.artifacts
            .keep(ACTOR, name, media_type, &sample(name))
            .to_string()
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }

    pub(crate) fn check(&self, tool: &str, input: Value) -> Vec<Violation> {
        self.toolbox.check(tool, &to_json(input))
    }

    /// Calls a tool as the first step run of the usual actor, and answers its output.
    pub(crate) async fn call(&self, tool: &str, input: Value) -> Result<Value, ToolError> {
        match self
            .attempt(tool, input, ACTOR, 0, &Cancelled(false))
            .await?
        {
            Outcome::Done(output) => Ok(to_value(&output)),
            other => panic!("{tool} is not done: {other:?}"),
        }
    }

    /// Calls a tool that is to fail.
    pub(crate) async fn fail(&self, tool: &str, input: Value) -> ToolError {
        self.call(tool, input).await.unwrap_err()
    }

    pub(crate) async fn attempt(
        &self,
        tool: &str,
        input: Value,
        actor: Actor,
        sleeps: u32,
        cancellation: &Cancelled,
    ) -> Result<Outcome, ToolError> {
        let input = to_json(input);
        assert_eq!(
            self.toolbox.check(tool, &input),
            [],
            "{tool} does not take {input}"
        );
        let outcome = self.toolbox.call(Invocation {
            tool,
            input: &input,
            organization_id: actor.organization_id,
            user_id: actor.user_id,
            run_id: RunId(3),
            step_run_id: StepRunId(4),
            attempt: 1,
            sleeps,
            log: &self.log,
            cancellation,
        });
        let outcome = outcome.await?;
        if let Outcome::Done(output) = &outcome {
            self.check_output(tool, &to_value(output));
        }
        Ok(outcome)
    }

    fn check_output(&self, tool: &str, output: &Value) {
        let specs = self.toolbox.specs();
        let spec = specs.iter().find(|spec| spec.name == tool).unwrap();
        let schema = Schema::compile(&to_value(&spec.output_schema)).unwrap();
        assert_eq!(schema.check(output), Ok(()), "{tool} gives {output}");
    }
}

/// The bytes of a sample document; `tests/data/README.md` says where they come from.
#[expect(clippy::disallowed_methods, reason = "the samples lie on the disk")]
pub(crate) fn sample(name: &str) -> Vec<u8> {
    // Where the tests run, not where they were built.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = Path::new(&package).join("../../tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
