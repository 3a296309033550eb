//! Writing pipelines.

use std::sync::Arc;

use super::{Actor, Adapters, Service};
use crate::{
    Error, Event, Json, OrganizationId, Page, Pipeline, PipelineId, Result, RunId, RunStatus,
    Slice, ToolSpec, Violation,
    definition::validate,
    ports::{PipelineSort, Repository, RunFilter, RunSort, Scope, Store, Transaction, Unfinished},
};

/// How many runs are locked at once.
const LOCKED: usize = 100;

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 10_000;

/// What a new pipeline is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPipeline {
    /// The identity it gets; the same one again where the request may have been carried out before.
    pub id: PipelineId,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it does.
    pub definition: Json,
}

/// What is to change about a pipeline; `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineChanges {
    /// What it is called.
    pub name: Option<String>,
    /// What it is for; `Some(None)` removes that.
    pub description: Option<Option<String>>,
    /// What it does.
    pub definition: Option<Json>,
}

impl<A: Adapters> Service<A> {
    /// Makes a pipeline; answers the one that the organization has already under this identity.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], with places in an object of `name`, `description` and `definition`;
    /// [`Error::AlreadyExists`] if the identity is that of a pipeline elsewhere.
    pub async fn create_pipeline(&self, actor: Actor, new: NewPipeline) -> Result<Pipeline> {
        let now = self.clock.now();
        let pipeline = Pipeline {
            id: new.id,
            organization_id: actor.organization_id,
            name: new.name.trim().to_owned(),
            description: new.description,
            definition: new.definition,
            version: 1,
            created_by: actor.user_id,
            created_at: now,
            updated_at: now,
        };
        self.check(&pipeline, true).await?;
        let event = Event::PipelineCreated {
            pipeline_id: pipeline.id,
            name: pipeline.name.clone(),
        };
        let event = self.recorded(actor.organization_id, Some(actor.user_id), now, event);
        let scope = Scope::Organization(actor.organization_id);
        let transaction = self.store.begin(scope).await?;
        match transaction.insert_pipeline(&pipeline).await {
            Err(Error::AlreadyExists) => {
                drop(transaction);
                let found = self.store.find_pipeline(actor.organization_id, pipeline.id);
                return found.await?.ok_or(Error::AlreadyExists);
            }
            inserted => inserted?,
        }
        transaction.record(&[event]).await?;
        transaction.commit().await?;
        Ok(pipeline)
    }

    /// Finds a pipeline.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn pipeline(&self, organization: OrganizationId, id: PipelineId) -> Result<Pipeline> {
        let found = self.store.find_pipeline(organization, id).await?;
        found.ok_or(Error::NotFound)
    }

    /// The pipelines of an organization.
    pub async fn list_pipelines(
        &self,
        organization: OrganizationId,
        slice: &Slice<PipelineSort>,
    ) -> Result<Page<Pipeline>> {
        self.store.list_pipelines(organization, slice).await
    }

    /// Changes a pipeline, which makes a version of it. Runs under way keep to theirs.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::VersionConflict`] if it is not at one of the
    /// `expected` versions; [`Error::Invalid`] as in [`create_pipeline`](Self::create_pipeline).
    pub async fn update_pipeline(
        &self,
        actor: Actor,
        id: PipelineId,
        expected: Option<&[u64]>,
        changes: PipelineChanges,
    ) -> Result<Pipeline> {
        let mut pipeline = self.pipeline(actor.organization_id, id).await?;
        if expected.is_some_and(|expected| !expected.contains(&pipeline.version)) {
            return Err(Error::VersionConflict);
        }
        let has_new_definition = changes.definition.is_some();
        if let Some(name) = changes.name {
            name.trim().clone_into(&mut pipeline.name);
        }
        if let Some(description) = changes.description {
            pipeline.description = description;
        }
        if let Some(definition) = changes.definition {
            pipeline.definition = definition;
        }
        self.check(&pipeline, has_new_definition).await?;
        pipeline.version += 1;
        pipeline.updated_at = self.clock.now();
        let event = Event::PipelineUpdated {
            pipeline_id: id,
            version: i64::try_from(pipeline.version).unwrap_or(i64::MAX),
        };
        let event = self.recorded(
            actor.organization_id,
            Some(actor.user_id),
            pipeline.updated_at,
            event,
        );
        let scope = Scope::Organization(actor.organization_id);
        let transaction = self.store.begin(scope).await?;
        transaction.update_pipeline(&pipeline).await?;
        transaction.record(&[event]).await?;
        transaction.commit().await?;
        Ok(pipeline)
    }

    /// Deletes a pipeline with its versions and runs; those under way are cancelled.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::VersionConflict`] if it is not at one of the expected versions.
    pub async fn delete_pipeline(
        &self,
        actor: Actor,
        id: PipelineId,
        expected: Option<&[u64]>,
    ) -> Result<()> {
        let organization = actor.organization_id;
        let now = self.clock.now();
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let live = live_runs(&transaction, organization, id).await?;
        let mut events = Vec::new();
        for runs in live.chunks(LOCKED) {
            let states = transaction.lock_runs(runs, &[]).await?.into_iter();
            let states = states.filter(|state| !state.run.status.is_ended());
            events.extend(states.map(|state| Event::RunCancelled {
                run_id: state.run.id,
            }));
        }
        let deleted = transaction.delete_pipeline(organization, id).await?;
        let version = deleted.ok_or(Error::NotFound)?;
        if expected.is_some_and(|expected| !expected.contains(&version)) {
            return Err(Error::VersionConflict);
        }
        events.push(Event::PipelineDeleted { pipeline_id: id });
        let record = |event| self.recorded(organization, Some(actor.user_id), now, event);
        let events: Vec<_> = events.into_iter().map(record).collect();
        transaction.record(&events).await?;
        transaction.commit().await
    }

    /// Checks a definition without keeping it; nothing is wrong with it if the answer is empty.
    pub async fn check_definition(&self, definition: Json) -> Result<Vec<Violation>> {
        let (toolbox, expressions) = (Arc::clone(&self.toolbox), Arc::clone(&self.expressions));
        let check = move || validate(&definition, toolbox.as_ref(), expressions.as_ref());
        match self.apart(check).await {
            Ok(checked) => Ok(checked.err().unwrap_or_default()),
            Err(error @ Unfinished::TimedOut) => Ok(vec![Violation::new("", error.to_string())]),
            Err(error) => Err(error.into()),
        }
    }

    /// The tools that steps may call.
    pub fn tools(&self) -> &[ToolSpec] {
        use crate::ports::Toolbox as _;
        self.toolbox.specs()
    }

    async fn check(&self, pipeline: &Pipeline, definition: bool) -> Result<()> {
        let mut violations = Vec::new();
        let mut refuse = |pointer, detail| violations.push(Violation::new(pointer, detail));
        if !(1..=MAX_NAME).contains(&pipeline.name.chars().count()) {
            refuse("/name", format!("must have 1 to {MAX_NAME} characters"));
        }
        let description = pipeline.description.as_deref().unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION {
            refuse(
                "/description",
                format!("must have at most {MAX_DESCRIPTION} characters"),
            );
        }
        if definition {
            let found = self.check_definition(pipeline.definition.clone()).await?;
            let found = found.into_iter();
            violations.extend(found.map(|violation| violation.under("/definition")));
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(violations))
        }
    }
}

/// The runs of a pipeline that have not ended, in the order in which they are to be locked.
async fn live_runs(
    repository: &impl Repository,
    organization: OrganizationId,
    pipeline: PipelineId,
) -> Result<Vec<(OrganizationId, RunId)>> {
    let mut live = Vec::new();
    for status in [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting] {
        let filter = RunFilter {
            pipeline: Some(pipeline),
            status: Some(status),
        };
        let mut slice = Slice {
            limit: 1_000,
            after: None,
            sort: RunSort::CreatedAt,
            descending: false,
        };
        loop {
            let page = repository.list_runs(organization, filter, &slice).await?;
            live.extend(page.items.iter().map(|run| (organization, run.id)));
            slice.after = page.next;
            if slice.after.is_none() {
                break;
            }
        }
    }
    live.sort_unstable();
    // One that went on meanwhile is found twice.
    live.dedup();
    Ok(live)
}
