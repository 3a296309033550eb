//! From a claim to the call of a tool.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Adapters, Service, advance::Move, scope};
use crate::{
    Cancellation, Error, Invocation, Json, Log, Outcome, Result, ToolError,
    definition::{Definition, Template},
    engine::{Claim, OVERSLEPT, StepEvent},
    ports::{ExpressionError, Expressions, Repository as _, Toolbox as _, Work},
    size,
};

/// What a worker does next about a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// Call the tool.
    Call(Call),
    /// Nothing: the step was skipped, fans out, or failed before its tool was
    /// called. The claim is over, and the worker may have been given another.
    Ended(Option<Claim>),
}

/// A call of a tool that a worker is to make, within its timeout.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What the worker holds.
    pub claim: Claim,
    /// What the tool is called with.
    pub input: Json,
    /// How long it may take.
    pub timeout: Duration,
}

/// What evaluation says about a step.
enum Evaluated {
    Input(Json),
    Items(Vec<Json>),
    Skipped,
}

/// How evaluation stops.
pub(super) enum Stop {
    /// The step fails.
    Step(ToolError),
    /// It cannot be said now.
    Service(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            // The run was deleted under the claim.
            Error::NotFound => Self::Service(Error::LeaseLost),
            error => Self::Service(error),
        }
    }
}

impl From<ToolError> for Stop {
    fn from(error: ToolError) -> Self {
        Self::Step(error)
    }
}

impl<A: Adapters> Service<A> {
    /// Evaluates `if`, `for_each` and `with` of a claimed step, and checks what
    /// its tool is to be called with. What ends the step here is written at once.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`] if the worker does not hold the step any more;
    /// [`Error::Unreadable`] if it never can be prepared.
    pub async fn prepare(&self, claim: &Claim) -> Result<Prepared> {
        let run = &claim.run;
        let key = (run.organization_id, run.pipeline_id, run.pipeline_version);
        let definition = self.definition(key).await?.ok_or(Error::LeaseLost)?;
        let position = definition.position(&claim.step.step);
        let position =
            position.ok_or_else(|| Error::unreadable("the definition lacks the step"))?;
        let timeout = definition.steps[position].timeout;
        let timeout = timeout.unwrap_or(self.settings.step_timeout);
        if claim.step.sleeps == OVERSLEPT {
            let failed = self.failed(claim, ToolError::timed_out(timeout));
            let next = self.advance_one(Move::new(claim, failed)).await?;
            return Ok(Prepared::Ended(next));
        }
        let event = match self.evaluate(definition, position, claim).await {
            Ok(Evaluated::Input(input)) => {
                return Ok(Prepared::Call(Call {
                    claim: claim.clone(),
                    input,
                    timeout,
                }));
            }
            Ok(Evaluated::Items(items)) => return self.expand(claim, items).await,
            Ok(Evaluated::Skipped) => StepEvent::Skipped,
            Err(Stop::Step(error)) => self.failed(claim, error),
            Err(Stop::Service(error)) => return Err(error),
        };
        let next = self.advance_one(Move::new(claim, event)).await?;
        Ok(Prepared::Ended(next))
    }

    /// Calls the tool. The caller bounds the time, and reports what came of it
    /// with [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// Those of the tool.
    pub async fn call(
        &self,
        call: &Call,
        log: &dyn Log,
        cancellation: &dyn Cancellation,
    ) -> Result<Outcome, ToolError> {
        let Claim { run, step } = &call.claim;
        let invocation = Invocation {
            tool: &step.tool,
            input: &call.input,
            organization_id: run.organization_id,
            user_id: run.created_by,
            run_id: run.id,
            step_run_id: step.id,
            attempt: step.attempt,
            sleeps: step.sleeps,
            log,
            cancellation,
        };
        self.toolbox.call(invocation).await
    }

    async fn expand(&self, claim: &Claim, items: Vec<Json>) -> Result<Prepared> {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let mut step = Move::new(claim, StepEvent::Expanded { items: count });
        step.items = Some(items);
        Ok(Prepared::Ended(self.advance_one(step).await?))
    }

    /// Reads what the templates of a step read, then fills them in, in the pool.
    async fn evaluate(
        &self,
        definition: Arc<Definition>,
        at: usize,
        claim: &Claim,
    ) -> Result<Evaluated, Stop> {
        let step = &definition.steps[at];
        let is_item = claim.step.index.is_some();
        let condition = step.condition.as_ref().filter(|_| !is_item);
        let for_each = step.for_each.as_ref().filter(|_| !is_item);
        let mut templates = vec![for_each.unwrap_or(&step.with)];
        templates.extend(condition);
        let settings = &self.settings;
        let max_bytes = settings.max_results_bytes;
        let scope = scope::of_run(&self.store, &definition, &claim.run, &templates, max_bytes);
        let mut scope = scope.await?;
        if is_item {
            self.add_item(&mut scope, claim).await?;
        }
        let mut filling = Filling::<A> {
            toolbox: Arc::clone(&self.toolbox),
            expressions: Arc::clone(&self.expressions),
            scope: Json::Object(scope),
            work: Work::default(),
            max_bytes: settings.max_value_bytes,
            max_items: settings.max_items,
        };
        let evaluated = self.apart(move || filling.step(&definition, at, is_item));
        Ok(evaluated.await.map_err(ToolError::from)??)
    }

    async fn add_item(&self, scope: &mut BTreeMap<String, Json>, claim: &Claim) -> Result<()> {
        let (Some(parent), Some(index)) = (claim.step.parent, claim.step.index) else {
            return Ok(());
        };
        let organization = claim.run.organization_id;
        let item = self.store.find_item(organization, parent, index).await?;
        scope.insert("item".to_owned(), item.ok_or(Error::NotFound)?);
        scope.insert("index".to_owned(), Json::from(i64::from(index)));
        Ok(())
    }
}

/// What it takes to fill in the templates of a step.
struct Filling<A: Adapters> {
    toolbox: Arc<A::Toolbox>,
    expressions: Arc<A::Expressions>,
    scope: Json,
    work: Work,
    max_bytes: u64,
    max_items: u32,
}

impl<A: Adapters> Filling<A> {
    fn step(
        &mut self,
        definition: &Definition,
        at: usize,
        is_item: bool,
    ) -> Result<Evaluated, ToolError> {
        let step = &definition.steps[at];
        if let Some(condition) = step.condition.as_ref().filter(|_| !is_item) {
            let value = self.fill_in(condition, "/if")?;
            if !self.expressions.truthy(&value) {
                return Ok(Evaluated::Skipped);
            }
        }
        if let Some(for_each) = step.for_each.as_ref().filter(|_| !is_item) {
            let list = self.fill_in(for_each, "/for_each")?;
            return Ok(Evaluated::Items(self.items(list)?));
        }
        let input = self.fill_in(&step.with, "/with")?;
        self.check(&step.tool, &input)?;
        Ok(Evaluated::Input(input))
    }

    fn fill_in(&mut self, template: &Template, place: &str) -> Result<Json, ToolError> {
        let (scope, work) = (&self.scope, &mut self.work);
        let filled = self.expressions.evaluate(&template.value, scope, work);
        filled.map_err(|error| expression_failed(place, &error))
    }

    fn items(&self, list: Json) -> Result<Vec<Json>, ToolError> {
        let max_items = self.max_items;
        size::check(&list, self.max_bytes, "input")?;
        match list {
            Json::Array(items) if items.len() <= usize::try_from(max_items).unwrap_or(0) => {
                Ok(items)
            }
            Json::Array(items) => Err(ToolError::permanent(
                "too_many_items",
                format!("/for_each: {} items are more than {max_items}", items.len()),
            )),
            _ => Err(ToolError::permanent(
                "expression_failed",
                "/for_each: the value is no array",
            )),
        }
    }

    fn check(&self, tool: &str, input: &Json) -> Result<(), ToolError> {
        size::check(input, self.max_bytes, "input")?;
        let violations = self.toolbox.check(tool, input);
        if violations.is_empty() {
            return Ok(());
        }
        let details: Vec<String> = violations
            .into_iter()
            .map(|violation| violation.under("/with").to_string())
            .collect();
        Err(ToolError::permanent("invalid_input", details.join("; ")))
    }
}

/// The error of a step, or of a run's outputs, with an expression that fails.
fn expression_failed(place: &str, error: &ExpressionError) -> ToolError {
    let message = format!("{place}{}: {}", error.pointer, error.message);
    ToolError::permanent("expression_failed", message)
}

/// The output of a run.
pub(super) fn outputs(
    definition: &Definition,
    expressions: &impl Expressions,
    scope: &Json,
    max_bytes: u64,
) -> Result<Json, ToolError> {
    let template = &definition.outputs.value;
    let output = expressions.evaluate(template, scope, &mut Work::default());
    let output = output.map_err(|error| expression_failed("/outputs", &error))?;
    size::check(&output, max_bytes, "output")?;
    Ok(output)
}
