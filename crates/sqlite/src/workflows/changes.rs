//! What the engine decided about runs.

use archesai_workflows::{Error, Result, RunStatus, StepStatus, engine::Changes};
use diesel::{prelude::*, sqlite::SqliteConnection};

use super::{
    columns::{Count, Word, json_of},
    steps::{self, Row},
    update::update_where,
};
use crate::{
    schema::{run_values, runs, step_runs},
    types::{Id, Time},
};

/// [`Changes`], as they are written.
pub(super) struct Prepared {
    run: Id,
    organization: Id,
    status: Word<RunStatus>,
    progress: Count<u16>,
    started_at: Option<Time>,
    completed_at: Option<Time>,
    output: Option<String>,
    error: Option<String>,
    created: Vec<Row>,
    stopped: Vec<Id>,
    /// Steps that changed, and then items.
    updated: (Vec<Row>, Vec<Row>),
}

impl TryFrom<&Changes> for Prepared {
    type Error = Error;

    fn try_from(changes: &Changes) -> Result<Self> {
        let run = &changes.run;
        let row = |step| Row::new(run.id, step);
        let updated = changes.updated.iter().map(row);
        Ok(Self {
            run: Id(run.id.0),
            organization: Id(run.organization_id.0),
            status: Word(run.status),
            progress: Count(run.progress),
            started_at: run.started_at.map(Time),
            completed_at: run.completed_at.map(Time),
            output: json_of(changes.output.as_ref())?,
            error: json_of(changes.error.as_ref())?,
            created: changes.created.iter().map(row).collect(),
            stopped: changes.stopped.iter().map(|id| Id(id.0)).collect(),
            updated: updated.partition(|row| row.parent.is_none()),
        })
    }
}

pub(super) fn apply(connection: &mut SqliteConnection, changes: Vec<Prepared>) -> QueryResult<()> {
    for changes in changes {
        apply_one(connection, changes)?;
    }
    Ok(())
}

fn apply_one(connection: &mut SqliteConnection, changes: Prepared) -> QueryResult<()> {
    if !update_run(connection, &changes)? {
        return Ok(());
    }
    steps::insert(connection, &changes.created)?;
    let (steps, items) = &changes.updated;
    steps::update(connection, steps)?;
    for fan_out in &changes.stopped {
        cancel_items(connection, changes.run, *fan_out)?;
    }
    // After the cancellation, which does not apply to them.
    steps::update(connection, items)?;
    put_values(connection, changes)
}

/// Answers whether there is such a run.
fn update_run(connection: &mut SqliteConnection, changes: &Prepared) -> QueryResult<bool> {
    let values = (
        runs::status.eq(changes.status),
        runs::progress.eq(changes.progress),
        runs::started_at.eq(changes.started_at),
        runs::completed_at.eq(changes.completed_at),
    );
    let filter = runs::id
        .eq(changes.run)
        .and(runs::organization_id.eq(changes.organization));
    let updated = update_where(&runs::table, values, filter).execute(connection)?;
    Ok(updated == 1)
}

fn cancel_items(connection: &mut SqliteConnection, run: Id, fan_out: Id) -> QueryResult<()> {
    let completed_at: Option<Option<Time>> = step_runs::table
        .find(fan_out)
        .filter(step_runs::run_id.eq(run))
        .select(step_runs::completed_at)
        .get_result(connection)
        .optional()?;
    let Some(completed_at) = completed_at else {
        return Ok(());
    };
    diesel::update(step_runs::table)
        .filter(step_runs::parent.eq(fan_out))
        .filter(step_runs::status.eq_any(not_ended()))
        .set((
            step_runs::status.eq(Word(StepStatus::Cancelled)),
            step_runs::worker.eq(None::<Id>),
            step_runs::ready_at.eq(None::<Time>),
            step_runs::completed_at.eq(completed_at),
        ))
        .execute(connection)?;
    Ok(())
}

fn not_ended() -> impl Iterator<Item = Word<StepStatus>> {
    let statuses = StepStatus::ALL.iter().copied();
    statuses.filter(|status| !status.is_ended()).map(Word)
}

fn put_values(connection: &mut SqliteConnection, changes: Prepared) -> QueryResult<()> {
    let row = run_values::table.find(changes.run);
    if let Some(output) = changes.output {
        diesel::update(row)
            .set(run_values::output.eq(output))
            .execute(connection)?;
    }
    if let Some(error) = changes.error {
        diesel::update(row)
            .set(run_values::error.eq(error))
            .execute(connection)?;
    }
    Ok(())
}
