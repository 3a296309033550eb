//! Runs.

use archesai_workflows::{
    Cursor, CursorKey, Error, Json, OrganizationId, Page, PipelineId, Run, RunError, RunId,
    RunStatus, Slice, StepRunId, UserId,
    engine::{RunRow, RunState, StepRow},
    ports::{RunFilter, RunSort, bounded},
};
use diesel::{
    dsl::exists,
    prelude::*,
    select,
    sql_types::{Array, BigInt, Integer, Json as SqlJson, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;
use futures_util::future::join3;

use super::{TaskResult, octets::octets, steps, steps::step_columns};
use crate::{
    errand::Link,
    lists::sliced,
    schema::{pipeline_versions, run_values, runs, step_runs},
    sql::Sql,
    types::{Count, Document, Id, JsonText, Time, Word},
};

/// The columns that are read and written at every step.
#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = runs)]
pub(super) struct Narrow {
    pub(super) id: Id,
    pub(super) organization_id: Id,
    pub(super) pipeline_id: Id,
    pub(super) pipeline_version: Count<u64>,
    pub(super) status: Word<RunStatus>,
    pub(super) progress: Count<u16>,
    pub(super) created_by: Id,
    pub(super) started_at: Option<Time>,
    pub(super) completed_at: Option<Time>,
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

/// Adds a run with its documents and steps, if its pipeline has the version. That the version is
/// there is made sure of until the end of the transaction. Answers whether there is a run now.
const INSERT: &str = concat!(
    "WITH new AS ( \
         INSERT INTO runs (id, organization_id, pipeline_id, pipeline_version, status, progress, \
             created_by, created_at, started_at, completed_at) \
         SELECT $22, v.organization_id, v.pipeline_id, v.version, $26, $27, $28, $29, $30, $31 \
         FROM pipeline_versions AS v \
         WHERE v.organization_id = $23 AND v.pipeline_id = $24 AND v.version = $25 \
         FOR KEY SHARE OF v \
         ON CONFLICT (id) DO NOTHING RETURNING id, organization_id), \
     documents AS ( \
         INSERT INTO run_values (run_id, organization_id, input, output, error) \
         SELECT id, organization_id, $32, $33, $34 FROM new), \
     steps AS ( \
         INSERT INTO step_runs (",
    step_columns!(),
    ") SELECT s.* FROM new, unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
         $15, $16, $17, $18, $19, $20, $21) AS s (",
    step_columns!(),
    ")) SELECT id FROM new"
);

pub(super) async fn insert(mut link: Link<'_>, run: &Run, steps: &[StepRow]) -> TaskResult<()> {
    let json = |document: &Json| JsonText::of(document).map_err(Error::unavailable);
    let error = run.error.as_ref().map(JsonText::of).transpose();
    let step = |step| steps::Row::new(run.organization_id, run.id, step);
    let steps: Vec<steps::Row> = steps.iter().map(step).collect();
    let inserted = steps::bind_all(Sql::new(INSERT), &steps)
        .bind::<Uuid, _>(Id(run.id.0))
        .bind::<Uuid, _>(Id(run.organization_id.0))
        .bind::<Uuid, _>(Id(run.pipeline_id.0))
        .bind::<BigInt, _>(Count(run.pipeline_version))
        .bind::<Text, _>(Word(run.status))
        .bind::<Integer, _>(Count(run.progress))
        .bind::<Uuid, _>(Id(run.created_by.0))
        .bind::<Timestamptz, _>(Time(run.created_at))
        .bind::<Nullable<Timestamptz>, _>(run.started_at.map(Time))
        .bind::<Nullable<Timestamptz>, _>(run.completed_at.map(Time))
        .bind::<SqlJson, _>(json(&run.input)?)
        .bind::<Nullable<SqlJson>, _>(run.output.as_ref().map(json).transpose()?)
        .bind::<Nullable<SqlJson>, _>(error.map_err(Error::unavailable)?)
        .execute(&mut link)
        .await?;
    if inserted == 1 {
        return Ok(());
    }
    Err(why_not(link, run).await?.into())
}

/// Why a run was not added. A run of somebody else with the same id is not to be seen.
async fn why_not(mut link: Link<'_>, run: &Run) -> QueryResult<Error> {
    let version = (
        Id(run.organization_id.0),
        Id(run.pipeline_id.0),
        Count(run.pipeline_version),
    );
    let same = exists(runs::table.find(Id(run.id.0)));
    let version = exists(pipeline_versions::table.find(version));
    let has_id: bool = select(same.or(version)).get_result(&mut link).await?;
    Ok(if has_id {
        Error::AlreadyExists
    } else {
        Error::NotFound
    })
}

pub(super) async fn find(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: RunId,
) -> TaskResult<Option<Run>> {
    let found: Option<Found> = runs::table
        .inner_join(run_values::table)
        .filter(runs::id.eq(Id(id.0)))
        .filter(runs::organization_id.eq(Id(organization.0)))
        .select((Narrow::as_select(), runs::created_at, Values::as_select()))
        .get_result(&mut link)
        .await
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

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    filter: RunFilter,
    slice: &Slice<RunSort>,
) -> TaskResult<Page<Run>> {
    let bytes = octets(&["run_values.input", "run_values.output", "run_values.error"]);
    let bytes = page!(organization, filter, slice, bytes)
        .load(&mut link)
        .await?;
    let slice = &bounded(slice, &bytes);
    let selected = (Narrow::as_select(), runs::created_at, Values::as_select());
    let found: Vec<Found> = page!(organization, filter, slice, selected)
        .load(&mut link)
        .await?;
    let found = found.into_iter().map(run).collect();
    Ok(Page::from_rows(found, slice.limit, |last: &Run| Cursor {
        key: CursorKey::Time(last.created_at),
        id: last.id.0,
    }))
}

pub(super) async fn find_input(
    mut link: Link<'_>,
    organization: OrganizationId,
    run: RunId,
) -> TaskResult<Option<Json>> {
    let input: Option<Document<Json>> = run_values::table
        .find(Id(run.0))
        .filter(run_values::organization_id.eq(Id(organization.0)))
        .select(run_values::input)
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(input.map(|input| input.0))
}

/// Locks runs, in the order of their ids, so that of two who lock several none waits for the other.
const LOCK: &str = "SELECT r.* FROM unnest($1, $2) AS asked (organization_id, id) \
    JOIN runs AS r ON r.id = asked.id AND r.organization_id = asked.organization_id \
    ORDER BY r.id FOR NO KEY UPDATE OF r";

/// The states of runs, in the order of their ids. The steps are read after the lock is held.
pub(super) async fn states(
    link: Link<'_>,
    asked: &[(OrganizationId, RunId)],
    items: &[StepRunId],
) -> TaskResult<Vec<RunState>> {
    let runs: Vec<Id> = asked.iter().map(|(_, run)| Id(run.0)).collect();
    let organizations: Vec<Id> = asked.iter().map(|(id, _)| Id(id.0)).collect();
    let items: Vec<Id> = items.iter().map(|item| Id(item.0)).collect();
    let steps = step_runs::table
        .filter(step_runs::run_id.eq_any(runs.clone()))
        .filter(step_runs::parent.is_null())
        .select(steps::Row::as_select());
    let items = step_runs::table
        .filter(step_runs::id.eq_any(items))
        .filter(step_runs::run_id.eq_any(runs.clone()))
        .filter(step_runs::parent.is_not_null())
        .select(steps::Row::as_select());
    let lock = Sql::new(LOCK)
        .bind::<Array<Uuid>, _>(organizations)
        .bind::<Array<Uuid>, _>(runs);
    let (locked, steps, items) = join3(
        lock.load(&mut &*link),
        steps.load(&mut &*link),
        items.load(&mut &*link),
    )
    .await;
    let (locked, steps, items): (Vec<Narrow>, Vec<steps::Row>, Vec<steps::Row>) =
        (locked?, steps?, items?);
    let state = |run: Narrow| RunState {
        run: run.into(),
        steps: Vec::new(),
        items: Vec::new(),
    };
    let mut states: Vec<RunState> = locked.into_iter().map(state).collect();
    states.dedup_by_key(|state| state.run.id);
    for row in steps.into_iter().chain(items) {
        let run = RunId(row.run_id.0);
        if let Ok(at) = states.binary_search_by_key(&run, |state| state.run.id) {
            let rows = match row.parent {
                None => &mut states[at].steps,
                Some(_) => &mut states[at].items,
            };
            rows.push(row.into());
        }
    }
    Ok(states)
}
