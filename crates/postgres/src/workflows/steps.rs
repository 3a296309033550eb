//! The runs of steps: their narrow rows, and how they are shown.

use archesai_workflows::{
    Cursor, CursorKey, Json, OrganizationId, Page, RunId, Slice, StepError, StepRun, StepRunId,
    StepStatus, WorkerId,
    engine::{Items, StepRow},
    ports::{StepResult, StepSort, bounded},
};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::{TaskResult, octets::octets};
use crate::{
    errand::Link,
    lists::sliced,
    schema::{step_runs, step_values},
    sql::Sql,
    types::{Count, Document, Id, Time, Word},
};

/// A [`StepRow`] and the run it belongs to.
#[derive(Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = step_runs)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) organization_id: Id,
    pub(super) run_id: Id,
    step: String,
    tool: String,
    pub(super) parent: Option<Id>,
    item: Option<Count<u32>>,
    status: Word<StepStatus>,
    attempt: Count<u32>,
    crashes: Count<u32>,
    sleeps: Count<u32>,
    ready_at: Option<Time>,
    worker: Option<Id>,
    fence: Count<u64>,
    items_total: Option<Count<u32>>,
    items_started: Option<Count<u32>>,
    items_done: Option<Count<u32>>,
    items_failed: Option<Count<u32>>,
    created_at: Time,
    started_at: Option<Time>,
    completed_at: Option<Time>,
}

impl Row {
    pub(super) fn new(organization: OrganizationId, run: RunId, row: &StepRow) -> Self {
        let items = row.items;
        Self {
            id: Id(row.id.0),
            organization_id: Id(organization.0),
            run_id: Id(run.0),
            step: row.step.clone(),
            tool: row.tool.clone(),
            parent: row.parent.map(|id| Id(id.0)),
            item: row.index.map(Count),
            status: Word(row.status),
            attempt: Count(row.attempt),
            crashes: Count(row.crashes),
            sleeps: Count(row.sleeps),
            ready_at: row.ready_at.map(Time),
            worker: row.worker.map(|id| Id(id.0)),
            fence: Count(row.fence),
            items_total: items.map(|items| Count(items.total)),
            items_started: items.map(|items| Count(items.started)),
            items_done: items.map(|items| Count(items.done)),
            items_failed: items.map(|items| Count(items.failed)),
            created_at: Time(row.created_at),
            started_at: row.started_at.map(Time),
            completed_at: row.completed_at.map(Time),
        }
    }

    fn items(&self) -> Option<Items> {
        Some(Items {
            total: self.items_total?.0,
            started: self.items_started?.0,
            done: self.items_done?.0,
            failed: self.items_failed?.0,
        })
    }
}

impl From<Row> for StepRow {
    fn from(row: Row) -> Self {
        Self {
            id: StepRunId(row.id.0),
            items: row.items(),
            step: row.step,
            tool: row.tool,
            parent: row.parent.map(|id| StepRunId(id.0)),
            index: row.item.map(|item| item.0),
            status: row.status.0,
            attempt: row.attempt.0,
            crashes: row.crashes.0,
            sleeps: row.sleeps.0,
            ready_at: row.ready_at.map(|time| time.0),
            worker: row.worker.map(|id| WorkerId(id.0)),
            fence: row.fence.0,
            created_at: row.created_at.0,
            started_at: row.started_at.map(|time| time.0),
            completed_at: row.completed_at.map(|time| time.0),
        }
    }
}

/// A column of many rows, as an array.
fn column<T>(rows: &[Row], value: impl Fn(&Row) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Binds the columns that may change.
fn bind_changing(sql: Sql, rows: &[Row]) -> Sql {
    sql.bind::<Array<Text>, _>(column(rows, |row| row.status))
        .bind::<Array<Integer>, _>(column(rows, |row| row.attempt))
        .bind::<Array<Integer>, _>(column(rows, |row| row.crashes))
        .bind::<Array<Integer>, _>(column(rows, |row| row.sleeps))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(rows, |row| row.ready_at))
        .bind::<Array<Nullable<Uuid>>, _>(column(rows, |row| row.worker))
        .bind::<Array<BigInt>, _>(column(rows, |row| row.fence))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.items_total))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.items_started))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.items_done))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.items_failed))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(rows, |row| row.started_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(rows, |row| row.completed_at))
}

/// Binds every column.
pub(super) fn bind_all(sql: Sql, rows: &[Row]) -> Sql {
    let sql = sql
        .bind::<Array<Uuid>, _>(column(rows, |row| row.id))
        .bind::<Array<Uuid>, _>(column(rows, |row| row.organization_id))
        .bind::<Array<Uuid>, _>(column(rows, |row| row.run_id))
        .bind::<Array<Text>, _>(column(rows, |row| row.step.clone()))
        .bind::<Array<Text>, _>(column(rows, |row| row.tool.clone()))
        .bind::<Array<Nullable<Uuid>>, _>(column(rows, |row| row.parent))
        .bind::<Array<Nullable<Integer>>, _>(column(rows, |row| row.item))
        .bind::<Array<Timestamptz>, _>(column(rows, |row| row.created_at));
    bind_changing(sql, rows)
}

/// The columns that [`bind_all`] binds, in its order.
macro_rules! step_columns {
    () => {
        "id, organization_id, run_id, step, tool, parent, item, created_at, status, attempt, \
         crashes, sleeps, ready_at, worker, fence, items_total, items_started, items_done, \
         items_failed, started_at, completed_at"
    };
}
pub(super) use step_columns;

/// Adds steps to runs that are there.
const INSERT: &str = concat!(
    "INSERT INTO step_runs (",
    step_columns!(),
    ") SELECT s.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
     $16, $17, $18, $19, $20, $21) AS s (",
    step_columns!(),
    ") WHERE EXISTS (SELECT FROM runs AS r \
     WHERE r.id = s.run_id AND r.organization_id = s.organization_id)"
);

/// The statement that adds steps, if there are any.
pub(super) fn insert(rows: &[Row]) -> Option<Sql> {
    (!rows.is_empty()).then(|| bind_all(Sql::new(INSERT), rows))
}

/// Writes all of some rows that may change: which step or item it is, and since when, stays.
const UPDATE: &str = "UPDATE step_runs AS s SET status = n.status, attempt = n.attempt, \
        crashes = n.crashes, sleeps = n.sleeps, ready_at = n.ready_at, worker = n.worker, \
        fence = n.fence, items_total = n.items_total, items_started = n.items_started, \
        items_done = n.items_done, items_failed = n.items_failed, started_at = n.started_at, \
        completed_at = n.completed_at \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
        AS n (id, run_id, organization_id, status, attempt, crashes, sleeps, ready_at, worker, \
            fence, items_total, items_started, items_done, items_failed, started_at, completed_at) \
    WHERE s.id = n.id AND s.run_id = n.run_id AND s.organization_id = n.organization_id";

/// The statement that updates steps, if there are any.
pub(super) fn update(rows: &[Row]) -> Option<Sql> {
    if rows.is_empty() {
        return None;
    }
    let sql = Sql::new(UPDATE)
        .bind::<Array<Uuid>, _>(column(rows, |row| row.id))
        .bind::<Array<Uuid>, _>(column(rows, |row| row.run_id))
        .bind::<Array<Uuid>, _>(column(rows, |row| row.organization_id));
    Some(bind_changing(sql, rows))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = step_values)]
struct Values {
    input: Option<Document<Json>>,
    output: Option<Document<Json>>,
    error: Option<Document<StepError>>,
}

fn step_run((row, values): (Row, Option<Values>)) -> StepRun {
    let row_items = row.items();
    let (input, output, error) = match values {
        Some(values) => (values.input, values.output, values.error),
        None => (None, None, None),
    };
    StepRun {
        id: StepRunId(row.id.0),
        run_id: RunId(row.run_id.0),
        step: row.step,
        index: row.item.map(|item| item.0),
        tool: row.tool,
        status: row.status.0,
        attempt: row.attempt.0,
        crashes: row.crashes.0,
        items: row_items,
        ready_at: row.ready_at.map(|time| time.0),
        input: input.map(|input| input.0),
        output: output.map(|output| output.0),
        error: error.map(|error| error.0),
        created_at: row.created_at.0,
        started_at: row.started_at.map(|time| time.0),
        completed_at: row.completed_at.map(|time| time.0),
    }
}

/// Something of the steps in a slice of those of a run.
macro_rules! page {
    ($organization:expr, $run:expr, $slice:expr, $selected:expr) => {{
        let slice = $slice;
        let query = step_runs::table
            .left_join(step_values::table)
            .filter(step_runs::run_id.eq(Id($run.0)))
            .filter(step_runs::organization_id.eq(Id($organization.0)))
            .select($selected)
            .into_boxed();
        sliced!(query, slice, step_runs::created_at, step_runs::id, Time)
    }};
}

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    run: RunId,
    slice: &Slice<StepSort>,
) -> TaskResult<Page<StepRun>> {
    let bytes = octets(&[
        "step_values.input",
        "step_values.output",
        "step_values.error",
    ]);
    let bytes = page!(organization, run, slice, bytes)
        .load(&mut link)
        .await?;
    let slice = &bounded(slice, &bytes);
    let selected = (Row::as_select(), Option::<Values>::as_select());
    let query = page!(organization, run, slice, selected);
    let found: Vec<(Row, Option<Values>)> = query.load(&mut link).await?;
    let found = found.into_iter().map(step_run).collect();
    Ok(Page::from_rows(found, slice.limit, |last: &StepRun| {
        Cursor {
            key: CursorKey::Time(last.created_at),
            id: last.id.0,
        }
    }))
}

pub(super) async fn results(
    mut link: Link<'_>,
    organization: OrganizationId,
    run: RunId,
    steps: &[String],
    max_bytes: u64,
) -> TaskResult<Option<Vec<StepResult>>> {
    let query = step_runs::table
        .left_join(step_values::table)
        .filter(step_runs::run_id.eq(Id(run.0)))
        .filter(step_runs::organization_id.eq(Id(organization.0)))
        .filter(step_runs::step.eq_any(steps))
        .filter(step_runs::parent.is_null());
    let bytes = octets(&["step_values.output", "step_values.error"]);
    let bytes: Vec<i64> = query.clone().select(bytes).load(&mut link).await?;
    if bytes.into_iter().map(i64::unsigned_abs).sum::<u64>() > max_bytes {
        return Ok(None);
    }
    let found: Vec<(String, Word<StepStatus>, Option<Values>)> = query
        .select((
            step_runs::step,
            step_runs::status,
            Option::<Values>::as_select(),
        ))
        .load(&mut link)
        .await?;
    Ok(Some(found.into_iter().map(result).collect()))
}

fn result((step, status, values): (String, Word<StepStatus>, Option<Values>)) -> StepResult {
    let (output, error) = match values {
        Some(values) => (values.output, values.error),
        None => (None, None),
    };
    StepResult {
        step,
        status: status.0,
        output: output.map(|output| output.0),
        error: error.map(|error| error.0),
    }
}
