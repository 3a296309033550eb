//! The runs of steps: their narrow rows, and how they are shown.

use archesai_workflows::{
    Cursor, CursorKey, Json, OrganizationId, Page, RunId, Slice, StepError, StepRun, StepRunId,
    StepStatus, WorkerId,
    engine::{Items, StepRow},
    ports::{StepResult, StepSort, bounded},
};
use diesel::{prelude::*, sqlite::SqliteConnection};

use super::{
    columns::{Count, Word},
    octets::octets,
    task::TaskResult,
    update::update_where,
};
use crate::{
    lists::sliced,
    schema::{runs, step_runs, step_values},
    types::{Document, Id, Time},
};

/// A [`StepRow`] and the run it belongs to.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = step_runs, treat_none_as_default_value = false)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) run_id: Id,
    step: String,
    tool: String,
    pub(super) parent: Option<Id>,
    item: Option<Count<u32>>,
    pub(super) status: Word<StepStatus>,
    pub(super) attempt: Count<u32>,
    crashes: Count<u32>,
    sleeps: Count<u32>,
    pub(super) ready_at: Option<Time>,
    pub(super) worker: Option<Id>,
    pub(super) fence: Count<u64>,
    items_total: Option<Count<u32>>,
    items_started: Option<Count<u32>>,
    items_done: Option<Count<u32>>,
    items_failed: Option<Count<u32>>,
    created_at: Time,
    pub(super) started_at: Option<Time>,
    completed_at: Option<Time>,
}

impl Row {
    pub(super) fn new(run: RunId, row: &StepRow) -> Self {
        let items = row.items;
        Self {
            id: Id(row.id.0),
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

pub(super) fn insert(connection: &mut SqliteConnection, rows: &[Row]) -> QueryResult<()> {
    for row in rows {
        diesel::insert_into(step_runs::table)
            .values(row)
            .execute(connection)?;
    }
    Ok(())
}

/// Writes all of some rows that may change: which step or item it is, and since
/// when, stays, and the indexes of that need not be written.
pub(super) fn update(connection: &mut SqliteConnection, rows: &[Row]) -> QueryResult<()> {
    for row in rows {
        let values = (
            step_runs::status.eq(row.status),
            step_runs::attempt.eq(row.attempt),
            step_runs::crashes.eq(row.crashes),
            step_runs::sleeps.eq(row.sleeps),
            step_runs::ready_at.eq(row.ready_at),
            step_runs::worker.eq(row.worker),
            step_runs::fence.eq(row.fence),
            step_runs::items_total.eq(row.items_total),
            step_runs::items_started.eq(row.items_started),
            step_runs::items_done.eq(row.items_done),
            step_runs::items_failed.eq(row.items_failed),
            step_runs::started_at.eq(row.started_at),
            step_runs::completed_at.eq(row.completed_at),
        );
        let filter = step_runs::id
            .eq(row.id)
            .and(step_runs::run_id.eq(row.run_id));
        update_where(&step_runs::table, values, filter).execute(connection)?;
    }
    Ok(())
}

/// Something of the steps in a slice of those of a run.
macro_rules! page {
    ($organization:expr, $run:expr, $slice:expr, $selected:expr) => {{
        let slice = $slice;
        let query = step_runs::table
            .inner_join(runs::table)
            .left_join(step_values::table)
            .filter(step_runs::run_id.eq(Id($run.0)))
            .filter(runs::organization_id.eq(Id($organization.0)))
            .select($selected)
            .into_boxed();
        sliced!(query, slice, step_runs::created_at, step_runs::id, Time)
    }};
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
    slice: &Slice<StepSort>,
) -> TaskResult<Page<StepRun>> {
    let bytes = octets(&[
        "step_values.input",
        "step_values.output",
        "step_values.error",
    ]);
    let bytes = page!(organization, run, slice, bytes).load(connection)?;
    let slice = &bounded(slice, &bytes);
    let selected = (Row::as_select(), Option::<Values>::as_select());
    let query = page!(organization, run, slice, selected);
    let found: Vec<(Row, Option<Values>)> = query.load(connection)?;
    let found = found.into_iter().map(step_run).collect();
    Ok(Page::from_rows(found, slice.limit, |last: &StepRun| {
        Cursor {
            key: CursorKey::Time(last.created_at),
            id: last.id.0,
        }
    }))
}

pub(super) fn results(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
    steps: Vec<String>,
    max_bytes: u64,
) -> TaskResult<Option<Vec<StepResult>>> {
    let mut results = Vec::with_capacity(steps.len());
    let mut left = max_bytes;
    for step in steps {
        let bytes = octets(&["step_values.output", "step_values.error"]);
        let found: Option<(Word<StepStatus>, i64, Option<Values>)> = step_runs::table
            .inner_join(runs::table)
            .left_join(step_values::table)
            .filter(step_runs::run_id.eq(Id(run.0)))
            .filter(step_runs::step.eq(&step))
            .filter(step_runs::parent.is_null())
            .filter(runs::organization_id.eq(Id(organization.0)))
            .select((step_runs::status, bytes, Option::<Values>::as_select()))
            .get_result(connection)
            .optional()?;
        let Some((status, bytes, values)) = found else {
            continue;
        };
        let Some(rest) = left.checked_sub(bytes.unsigned_abs()) else {
            return Ok(None);
        };
        left = rest;
        results.push(result(step, status.0, values));
    }
    Ok(Some(results))
}

fn result(step: String, status: StepStatus, values: Option<Values>) -> StepResult {
    let (output, error) = match values {
        Some(values) => (values.output, values.error),
        None => (None, None),
    };
    StepResult {
        step,
        status,
        output: output.map(|output| output.0),
        error: error.map(|error| error.0),
    }
}
