//! Runs.

use archesai_workflows::{
    Cursor, CursorKey, Error, Json, OrganizationId, Page, PipelineId, Result, Run, RunError, RunId,
    RunStatus, Slice, StepRunId, UserId,
    engine::{RunRow, RunState},
    ports::{RunFilter, RunSort, bounded},
};
use diesel::{dsl::exists, prelude::*, select, sqlite::SqliteConnection};

use super::{
    columns::{Count, Word, json, json_of},
    octets::octets,
    steps,
    task::{Failure, TaskResult},
};
use crate::{
    lists::sliced,
    schema::{pipelines, run_values, runs, step_runs},
    types::{Document, Id, Time},
};

/// The columns that are read and written at every step.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = runs, treat_none_as_default_value = false)]
pub(super) struct Narrow {
    pub(super) id: Id,
    organization_id: Id,
    pipeline_id: Id,
    pipeline_version: Count<u64>,
    pub(super) status: Word<RunStatus>,
    progress: Count<u16>,
    created_by: Id,
    pub(super) started_at: Option<Time>,
    completed_at: Option<Time>,
}

impl From<Narrow> for RunRow {
    fn from(row: Narrow) -> Self {
        Self {
            id: RunId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            pipeline_id: PipelineId(row.pipeline_id.0),
            pipeline_version: row.pipeline_version.0,
            status: row.status.0,
            progress: row.progress.0,
            created_by: UserId(row.created_by.0),
            started_at: row.started_at.map(|time| time.0),
            completed_at: row.completed_at.map(|time| time.0),
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = run_values)]
struct Values {
    input: Document<Json>,
    output: Option<Document<Json>>,
    error: Option<Document<RunError>>,
}

type Found = (Narrow, Time, Values);

fn run((row, created_at, values): Found) -> Run {
    Run {
        id: RunId(row.id.0),
        organization_id: OrganizationId(row.organization_id.0),
        pipeline_id: PipelineId(row.pipeline_id.0),
        pipeline_version: row.pipeline_version.0,
        status: row.status.0,
        progress: row.progress.0,
        input: values.input.0,
        output: values.output.map(|output| output.0),
        error: values.error.map(|error| error.0),
        created_by: UserId(row.created_by.0),
        created_at: created_at.0,
        started_at: row.started_at.map(|time| time.0),
        completed_at: row.completed_at.map(|time| time.0),
    }
}

/// A run that is to be inserted.
pub(super) struct New {
    row: Narrow,
    created_at: Time,
    input: String,
    output: Option<String>,
    error: Option<String>,
}

impl TryFrom<&Run> for New {
    type Error = Error;

    fn try_from(run: &Run) -> Result<Self> {
        Ok(Self {
            row: Narrow {
                id: Id(run.id.0),
                organization_id: Id(run.organization_id.0),
                pipeline_id: Id(run.pipeline_id.0),
                pipeline_version: Count(run.pipeline_version),
                status: Word(run.status),
                progress: Count(run.progress),
                created_by: Id(run.created_by.0),
                started_at: run.started_at.map(Time),
                completed_at: run.completed_at.map(Time),
            },
            created_at: Time(run.created_at),
            input: json(&run.input)?,
            output: json_of(run.output.as_ref())?,
            error: json_of(run.error.as_ref())?,
        })
    }
}

pub(super) fn insert(
    connection: &mut SqliteConnection,
    new: &New,
    steps: &[steps::Row],
) -> TaskResult<()> {
    use diesel::result::{
        DatabaseErrorKind::{ForeignKeyViolation, UniqueViolation},
        Error as DieselError,
    };

    diesel::insert_into(runs::table)
        .values((&new.row, runs::created_at.eq(new.created_at)))
        .execute(connection)
        .map_err(|error| match error {
            DieselError::DatabaseError(UniqueViolation, _) => Error::AlreadyExists.into(),
            DieselError::DatabaseError(ForeignKeyViolation, _) => Error::NotFound.into(),
            error => Failure::from(error),
        })?;
    let pipeline = pipelines::table
        .find(new.row.pipeline_id)
        .filter(pipelines::organization_id.eq(new.row.organization_id));
    if !select(exists(pipeline)).get_result(connection)? {
        return Err(Error::NotFound.into());
    }
    diesel::insert_into(run_values::table)
        .values((
            run_values::run_id.eq(new.row.id),
            run_values::input.eq(&new.input),
            run_values::output.eq(&new.output),
            run_values::error.eq(&new.error),
        ))
        .execute(connection)?;
    Ok(steps::insert(connection, steps)?)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: RunId,
) -> TaskResult<Option<Run>> {
    let found: Option<Found> = runs::table
        .inner_join(run_values::table)
        .filter(runs::id.eq(Id(id.0)))
        .filter(runs::organization_id.eq(Id(organization.0)))
        .select((Narrow::as_select(), runs::created_at, Values::as_select()))
        .get_result(connection)
        .optional()?;
    Ok(found.map(run))
}

/// Something of the runs in a slice of those that a filter lets through.
macro_rules! page {
    ($organization:expr, $filter:expr, $slice:expr, $selected:expr) => {{
        let (filter, slice) = ($filter, $slice);
        let mut query = runs::table
            .inner_join(run_values::table)
            .filter(runs::organization_id.eq(Id($organization.0)))
            .select($selected)
            .into_boxed();
        if let Some(pipeline) = filter.pipeline {
            query = query.filter(runs::pipeline_id.eq(Id(pipeline.0)));
        }
        if let Some(status) = filter.status {
            query = query.filter(runs::status.eq(Word(status)));
        }
        sliced!(query, slice, runs::created_at, runs::id, Time)
    }};
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    filter: RunFilter,
    slice: &Slice<RunSort>,
) -> TaskResult<Page<Run>> {
    let bytes = octets(&["run_values.input", "run_values.output", "run_values.error"]);
    let bytes = page!(organization, filter, slice, bytes).load(connection)?;
    let slice = &bounded(slice, &bytes);
    let selected = (Narrow::as_select(), runs::created_at, Values::as_select());
    let found: Vec<Found> = page!(organization, filter, slice, selected).load(connection)?;
    let found = found.into_iter().map(run).collect();
    Ok(Page::from_rows(found, slice.limit, |last: &Run| Cursor {
        key: CursorKey::Time(last.created_at),
        id: last.id.0,
    }))
}

pub(super) fn find_input(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
) -> TaskResult<Option<Json>> {
    let input: Option<Document<Json>> = run_values::table
        .inner_join(runs::table)
        .filter(runs::id.eq(Id(run.0)))
        .filter(runs::organization_id.eq(Id(organization.0)))
        .select(run_values::input)
        .get_result(connection)
        .optional()?;
    Ok(input.map(|input| input.0))
}

/// The states of runs, in the order of their ids. Whoever has an open transaction
/// is the only one that writes, so there is nothing to lock.
pub(super) fn states(
    connection: &mut SqliteConnection,
    mut runs: Vec<(OrganizationId, RunId)>,
    items: &[StepRunId],
) -> TaskResult<Vec<RunState>> {
    runs.sort_unstable_by_key(|(_, run)| *run);
    runs.dedup();
    let mut states: Vec<RunState> = Vec::with_capacity(runs.len());
    for (organization, run) in runs {
        states.extend(state(connection, organization, run)?);
    }
    for item in items {
        let item: Option<steps::Row> = step_runs::table
            .find(Id(item.0))
            .filter(step_runs::parent.is_not_null())
            .select(steps::Row::as_select())
            .get_result(connection)
            .optional()?;
        let Some(item) = item else { continue };
        let run = RunId(item.run_id.0);
        if let Ok(at) = states.binary_search_by_key(&run, |state| state.run.id) {
            states[at].items.push(item.into());
        }
    }
    Ok(states)
}

fn state(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
) -> TaskResult<Option<RunState>> {
    let row: Option<Narrow> = runs::table
        .find(Id(run.0))
        .filter(runs::organization_id.eq(Id(organization.0)))
        .select(Narrow::as_select())
        .get_result(connection)
        .optional()?;
    let Some(row) = row else {
        return Ok(None);
    };
    let steps: Vec<steps::Row> = step_runs::table
        .filter(step_runs::run_id.eq(Id(run.0)))
        .filter(step_runs::parent.is_null())
        .select(steps::Row::as_select())
        .load(connection)?;
    Ok(Some(RunState {
        run: row.into(),
        steps: steps.into_iter().map(Into::into).collect(),
        items: Vec::new(),
    }))
}
