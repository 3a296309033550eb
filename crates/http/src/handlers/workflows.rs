//! The operations tagged `workflows`.

mod merged;
mod position;
mod shown;
mod story;
mod stream;
mod telling;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use archesai_workflows::{
    Actor, Adapters, NewPipeline, OrganizationId, PipelineChanges, PipelineId, RunId, Service,
    StepRunId, UserId,
    ports::{PipelineSort, RunFilter, RunSort, StepSort},
};
use uuid::Uuid;

use crate::{
    Caller, Problem, Versioned,
    call::Call,
    generated::{common::CreationOrder, workflows as api},
    live::Live,
    page,
};

/// The operations tagged `workflows`.
pub struct Workflows<W: Adapters> {
    /// The use cases of workflows.
    pub workflows: Arc<Service<W>>,
    /// What streams of events read, and what wakes them.
    pub live: Arc<Live>,
}

/// In which order the log of a run is listed, for its cursors.
const LOG_ORDER: &str = "log";

fn organization(caller: &Caller) -> OrganizationId {
    OrganizationId(caller.organization_id.0)
}

fn actor(caller: &Caller) -> Actor {
    Actor {
        organization_id: organization(caller),
        user_id: UserId(caller.user_id.0),
    }
}

fn pipeline_sort(order: api::PipelineOrder) -> PipelineSort {
    use api::PipelineOrder as Order;
    match order {
        Order::CreatedAt | Order::CreatedAtDescending => PipelineSort::CreatedAt,
        Order::UpdatedAt | Order::UpdatedAtDescending => PipelineSort::UpdatedAt,
        Order::Name | Order::NameDescending => PipelineSort::Name,
    }
}

impl<W: Adapters> Workflows<W> {
    async fn change(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
        changes: PipelineChanges,
    ) -> Result<Versioned<api::Pipeline>, Problem> {
        let id = PipelineId(id.as_u128());
        let changed =
            self.workflows
                .update_pipeline(actor(caller), id, if_match.as_deref(), changes);
        shown::versioned(changed.await?)
    }
}

impl<W: Adapters> api::WorkflowsApi for Workflows<W> {
    async fn list_pipelines(
        &self,
        caller: &Caller,
        query: api::ListPipelinesQuery,
    ) -> Result<api::PipelinePage, Problem> {
        let order = query
            .sort
            .unwrap_or(api::PipelineOrder::CreatedAtDescending);
        let (cursor, sort) = (query.cursor.as_deref(), pipeline_sort(order));
        let slice = page::slice("pipelines", query.limit, cursor, order.as_str(), sort)?;
        let page = self
            .workflows
            .list_pipelines(organization(caller), &slice)
            .await?;
        let data = page.items.into_iter().map(shown::pipeline);
        Ok(api::PipelinePage {
            data: data.collect::<Result<_, _>>()?,
            next_cursor: page::encode("pipelines", order.as_str(), page.next),
        })
    }

    async fn create_pipeline(
        &self,
        caller: &Caller,
        new_id: Uuid,
        body: api::CreatePipelineRequest,
    ) -> Result<Versioned<api::Pipeline>, Problem> {
        let new = NewPipeline {
            id: PipelineId(new_id.as_u128()),
            name: body.name,
            description: body.description.flatten(),
            definition: shown::json(body.definition)?,
        };
        let created = self.workflows.create_pipeline(actor(caller), new);
        shown::versioned(created.await?)
    }

    async fn validate_pipeline(
        &self,
        _caller: &Caller,
        body: api::ValidatePipelineRequest,
    ) -> Result<api::PipelineValidation, Problem> {
        let definition = shown::json(body.definition)?;
        let violations = self.workflows.check_definition(definition);
        Ok(shown::validation(violations.await?))
    }

    async fn get_pipeline(
        &self,
        caller: &Caller,
        id: Uuid,
    ) -> Result<Versioned<api::Pipeline>, Problem> {
        let id = PipelineId(id.as_u128());
        let found = self.workflows.pipeline(organization(caller), id).await?;
        shown::versioned(found)
    }

    async fn replace_pipeline(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
        body: api::ReplacePipelineRequest,
    ) -> Result<Versioned<api::Pipeline>, Problem> {
        let changes = PipelineChanges {
            name: Some(body.name),
            description: Some(body.description.flatten()),
            definition: Some(shown::json(body.definition)?),
        };
        self.change(caller, id, if_match, changes).await
    }

    async fn update_pipeline(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
        body: api::UpdatePipelineRequest,
    ) -> Result<Versioned<api::Pipeline>, Problem> {
        let changes = PipelineChanges {
            name: body.name,
            description: body.description,
            definition: body.definition.map(shown::json).transpose()?,
        };
        self.change(caller, id, if_match, changes).await
    }

    async fn delete_pipeline(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
    ) -> Result<(), Problem> {
        let id = PipelineId(id.as_u128());
        let deleted = self
            .workflows
            .delete_pipeline(actor(caller), id, if_match.as_deref());
        Ok(deleted.await?)
    }

    async fn start_run(
        &self,
        caller: &Caller,
        new_id: Uuid,
        id: Uuid,
        body: api::StartRunRequest,
    ) -> Result<api::Run, Problem> {
        let input = shown::json(body.input.unwrap_or_default())?;
        let (run, pipeline) = (RunId(new_id.as_u128()), PipelineId(id.as_u128()));
        let started = self
            .workflows
            .start_run(actor(caller), run, pipeline, &input);
        shown::run(started.await?)
    }

    async fn list_runs(
        &self,
        caller: &Caller,
        query: api::ListRunsQuery,
    ) -> Result<api::RunPage, Problem> {
        let order = query.sort.unwrap_or(CreationOrder::CreatedAtDescending);
        let cursor = query.cursor.as_deref();
        let slice = page::slice(
            "runs",
            query.limit,
            cursor,
            order.as_str(),
            RunSort::CreatedAt,
        )?;
        let filter = RunFilter {
            pipeline: query.filter_pipeline_id.map(|id| PipelineId(id.as_u128())),
            status: query.filter_status.map(shown::domain_status),
        };
        let page = self
            .workflows
            .list_runs(organization(caller), filter, &slice)
            .await?;
        let data = page.items.into_iter().map(shown::run);
        Ok(api::RunPage {
            data: data.collect::<Result<_, _>>()?,
            next_cursor: page::encode("runs", order.as_str(), page.next),
        })
    }

    async fn get_run(&self, caller: &Caller, id: Uuid) -> Result<api::Run, Problem> {
        let id = RunId(id.as_u128());
        shown::run(self.workflows.run(organization(caller), id).await?)
    }

    async fn list_run_steps(
        &self,
        caller: &Caller,
        id: Uuid,
        query: api::ListRunStepsQuery,
    ) -> Result<api::StepPage, Problem> {
        let order = query.sort.unwrap_or(CreationOrder::CreatedAt);
        let cursor = query.cursor.as_deref();
        let slice = page::slice(
            "steps",
            query.limit,
            cursor,
            order.as_str(),
            StepSort::CreatedAt,
        )?;
        let run = RunId(id.as_u128());
        let page = self
            .workflows
            .list_steps(organization(caller), run, &slice)
            .await?;
        let data = page.items.into_iter().map(shown::step);
        Ok(api::StepPage {
            data: data.collect::<Result<_, _>>()?,
            next_cursor: page::encode("steps", order.as_str(), page.next),
        })
    }

    async fn list_run_logs(
        &self,
        caller: &Caller,
        id: Uuid,
        query: api::ListRunLogsQuery,
    ) -> Result<api::LogPage, Problem> {
        let limit = page::limit(query.limit);
        let after: Option<u64> = page::decode("logs", LOG_ORDER, query.cursor.as_deref())?;
        let after = after.unwrap_or_default().min(position::MAX_LINE);
        let step_run = query.filter_run_step_id.map(|id| StepRunId(id.as_u128()));
        let (organization, run) = (organization(caller), RunId(id.as_u128()));
        // One more than asked for tells whether there is another page.
        let lines = self
            .workflows
            .list_logs(organization, run, step_run, after, limit + 1);
        let mut lines = lines.await?;
        let more = lines.len() > limit as usize;
        lines.truncate(limit as usize);
        let next = lines.last().filter(|_| more).map(|line| line.sequence);
        Ok(api::LogPage {
            data: lines.into_iter().map(shown::log_line).collect(),
            next_cursor: page::encode("logs", LOG_ORDER, next),
        })
    }

    async fn stream_run_events(
        &self,
        call: Call,
        _payload: web::Payload,
        id: Uuid,
    ) -> Result<HttpResponse, Problem> {
        let run = RunId(id.as_u128());
        stream::answer(&self.workflows, &self.live, call, run).await
    }

    async fn cancel_run(&self, caller: &Caller, id: Uuid) -> Result<api::Run, Problem> {
        let id = RunId(id.as_u128());
        shown::run(self.workflows.cancel_run(actor(caller), id).await?)
    }

    async fn list_tools(&self, _caller: &Caller) -> Result<api::ToolPage, Problem> {
        let data = self.workflows.tools().iter().map(shown::tool);
        Ok(api::ToolPage {
            data: data.collect::<Result<_, _>>()?,
            next_cursor: None,
        })
    }

    async fn get_tool(&self, _caller: &Caller, name: String) -> Result<api::Tool, Problem> {
        let mut tools = self.workflows.tools().iter();
        let tool = tools.find(|tool| tool.name == name);
        shown::tool(tool.ok_or_else(Problem::not_found)?)
    }
}
