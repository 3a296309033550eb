//! A program around a store: the workflows domain with one tool, the simplest
//! of expression languages, and workers that wait for nothing.

use std::{
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use archesai_workflows::{
    Actor, Adapters, Cancellation, Clock, Definitions, Error, Ids, Invocation, Json, Log, LogLevel,
    NewPipeline, OrganizationId, Outcome, PipelineId, Prepared, Run, RunId, Service, Settings,
    ToolError, ToolSpec, UserId, Violation, WorkerId,
    engine::Claim,
    ports::{
        ExpressionError, Expressions, Pool, Reference, Store, Toolbox, Unfinished, Wakeups, Work,
    },
};

use super::time;
use crate::fresh;

/// The domain over a store.
pub struct Program<S: Store> {
    /// The use cases.
    pub service: Service<Wired<S>>,
    actor: Actor,
}

/// The adapters of a [`Program`].
pub struct Wired<S>(PhantomData<S>);

impl<S: Store> Adapters for Wired<S> {
    type Store = S;
    type Toolbox = Echo;
    type Expressions = Paths;
}

impl<S: Store> Program<S> {
    /// A program over a store that acts in an organization which the store knows.
    pub fn new(store: S, organization: OrganizationId) -> Self {
        let service = Service {
            store,
            toolbox: Arc::new(Echo::default()),
            expressions: Arc::new(Paths),
            pool: Arc::new(AtOnce),
            wakeups: Arc::new(Nobody),
            clock: Arc::new(Ticks::default()),
            ids: Arc::new(Fresh),
            definitions: Definitions::default(),
            settings: Settings::default(),
        };
        let actor = Actor {
            organization_id: organization,
            user_id: UserId(fresh()),
        };
        Self { service, actor }
    }

    /// Starts a run of a new pipeline.
    pub async fn start(&self, definition: Json, input: &Json) -> Run {
        let new = NewPipeline {
            id: PipelineId(fresh()),
            name: "p".to_owned(),
            description: None,
            definition,
        };
        let pipeline = self.service.create_pipeline(self.actor, new).await.unwrap();
        let id = RunId(fresh());
        let run = self
            .service
            .start_run(self.actor, id, pipeline.id, input)
            .await;
        run.unwrap()
    }

    /// A run as it is now.
    pub async fn run(&self, id: RunId) -> Run {
        let run = self.service.run(self.actor.organization_id, id).await;
        run.unwrap()
    }

    /// Cancels a run.
    pub async fn cancel(&self, id: RunId) -> Run {
        self.service.cancel_run(self.actor, id).await.unwrap()
    }

    /// Takes away a run with its pipeline.
    pub async fn remove(&self, run: &Run) {
        let removed = self
            .service
            .delete_pipeline(self.actor, run.pipeline_id, None);
        removed.await.unwrap();
    }

    /// Works on what is due, and on what becomes ready by it, until nothing is.
    pub async fn work(&self, worker: WorkerId, batch: u32) {
        loop {
            let claims = self.service.claim(worker, batch).await.unwrap();
            if claims.is_empty() {
                return;
            }
            for claim in claims {
                self.work_on(claim).await;
            }
        }
    }

    async fn work_on(&self, claim: Claim) {
        let mut next = Some(claim);
        while let Some(claim) = next {
            next = match self.step(&claim).await {
                // The run was cancelled, or deleted.
                Err(Error::LeaseLost) => None,
                next => next.unwrap(),
            };
        }
    }

    async fn step(&self, claim: &Claim) -> Result<Option<Claim>, Error> {
        match self.service.prepare(claim).await? {
            Prepared::Ended(next) => Ok(next),
            Prepared::Call(call) => {
                let result = self.service.call(&call, &Quiet, &Quiet).await;
                self.service.finish(&call, result).await
            }
        }
    }
}

/// One tool, `echo`, that answers its `value`.
pub struct Echo([ToolSpec; 1]);

impl Default for Echo {
    fn default() -> Self {
        Self([ToolSpec {
            name: "echo".to_owned(),
            description: "answers what it is given".to_owned(),
            input_schema: Json::Bool(true),
            output_schema: Json::Bool(true),
        }])
    }
}

impl Toolbox for Echo {
    fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    fn check(&self, _tool: &str, _input: &Json) -> Vec<Violation> {
        Vec::new()
    }

    async fn call(&self, call: Invocation<'_>) -> Result<Outcome, ToolError> {
        let value = call.input.get("value").cloned().unwrap_or_default();
        if value.as_text() == Some("fail") {
            return Err(ToolError::permanent("asked", "it was asked to fail"));
        }
        Ok(Outcome::Done(value))
    }
}

/// Texts that are one path, such as `{{ steps.a.output }}`, stand for what is there.
pub struct Paths;

fn path(text: &str) -> Option<Vec<&str>> {
    let path = text.strip_prefix("{{")?.strip_suffix("}}")?;
    Some(path.trim().split('.').collect())
}

impl Expressions for Paths {
    fn references(&self, template: &Json) -> Result<Vec<Reference>, Vec<Violation>> {
        let inner: Vec<(String, &Json)> = match template {
            Json::Text(text) => {
                let path = path(text).map(|path| Reference {
                    pointer: String::new(),
                    path: path.into_iter().map(str::to_owned).collect(),
                });
                return Ok(path.into_iter().collect());
            }
            Json::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(at, item)| (at.to_string(), item)).collect()
            }
            Json::Object(members) => {
                let members = members.iter();
                members.map(|(name, value)| (name.clone(), value)).collect()
            }
            _ => Vec::new(),
        };
        let mut references = Vec::new();
        for (name, value) in inner {
            for mut reference in self.references(value)? {
                reference.pointer.insert_str(0, &format!("/{name}"));
                references.push(reference);
            }
        }
        Ok(references)
    }

    fn evaluate(
        &self,
        template: &Json,
        scope: &Json,
        work: &mut Work,
    ) -> Result<Json, ExpressionError> {
        work.0 += 1;
        Ok(match template {
            Json::Text(text) => match path(text) {
                Some(path) => look_up(&path, scope)?,
                None => template.clone(),
            },
            Json::Array(items) => {
                let items = items.iter().map(|item| self.evaluate(item, scope, work));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Json::Object(members) => {
                let members = members.iter();
                let members = members
                    .map(|(name, value)| Ok((name.clone(), self.evaluate(value, scope, work)?)));
                Json::Object(members.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn truthy(&self, value: &Json) -> bool {
        value.as_bool() == Some(true)
    }
}

fn look_up(path: &[&str], scope: &Json) -> Result<Json, ExpressionError> {
    let found = path.iter().try_fold(scope, |value, name| value.get(name));
    found.cloned().ok_or_else(|| ExpressionError {
        pointer: String::new(),
        message: format!("`{}` has no value", path.join(".")),
    })
}

/// Does work at once, where it is asked for.
struct AtOnce;

impl Pool for AtOnce {
    fn run(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unfinished>> + Send + '_>> {
        work();
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A microsecond passes whenever somebody asks for the time, and databases keep
/// none that are finer.
#[derive(Default)]
struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> SystemTime {
        time(0) + Duration::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Fresh;

impl Ids for Fresh {
    fn next(&self) -> u128 {
        fresh()
    }
}

struct Nobody;

impl Wakeups for Nobody {
    fn wake(&self) {}
}

/// Listens to no tool and stops none.
struct Quiet;

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
