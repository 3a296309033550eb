//! The queue of step runs, and who holds them.

use std::{collections::HashSet, time::SystemTime};

use archesai_workflows::{RunStatus, StepStatus, WorkerId, engine::Claim};
use diesel::{
    dsl::{exists, not},
    prelude::*,
    sqlite::SqliteConnection,
    upsert::excluded,
};

use super::{
    columns::Word,
    runs::Narrow,
    steps::{self, Row},
    task::TaskResult,
};
use crate::{
    schema::{runs, step_runs, workers},
    types::{Id, Time},
};

/// How long a worker is remembered after its lease, in microseconds.
const REMEMBERED: i64 = 60 * 60 * 1_000_000;

/// When the first step run is due.
pub(super) fn next_due(connection: &mut SqliteConnection) -> TaskResult<Option<SystemTime>> {
    let first: Option<Option<Time>> = step_runs::table
        .filter(step_runs::ready_at.is_not_null())
        .order(step_runs::ready_at)
        .select(step_runs::ready_at)
        .first(connection)
        .optional()?;
    Ok(first.flatten().map(|due| due.0))
}

pub(super) fn claim(
    connection: &mut SqliteConnection,
    worker: WorkerId,
    limit: u32,
    until: Time,
    now: Time,
) -> TaskResult<Vec<Claim>> {
    extend(connection, worker, until)?;
    let due: Vec<(Narrow, Row)> = step_runs::table
        .inner_join(runs::table)
        .filter(step_runs::ready_at.le(now))
        .order((step_runs::ready_at, step_runs::id))
        .limit(i64::from(limit))
        .select((Narrow::as_select(), Row::as_select()))
        .load(connection)?;
    let mut begun = HashSet::new();
    let (runs, mut steps): (Vec<Narrow>, Vec<Row>) = due.into_iter().unzip();
    for run in &runs {
        if begun.insert(run.id) {
            begin_run(connection, run, now)?;
        }
    }
    for step in &mut steps {
        step.status = Word(StepStatus::Running);
        step.attempt.0 += 1;
        step.fence.0 += 1;
        step.ready_at = None;
        step.worker = Some(Id(worker.0));
        step.started_at.get_or_insert(now);
    }
    steps::update(connection, &steps)?;
    Ok(runs.into_iter().zip(steps).map(claim_of).collect())
}

fn claim_of((run, step): (Narrow, Row)) -> Claim {
    Claim {
        run: run.into(),
        step: step.into(),
    }
}

/// A run goes on when one of its steps does.
fn begin_run(connection: &mut SqliteConnection, run: &Narrow, now: Time) -> TaskResult<()> {
    if matches!(run.status.0, RunStatus::Queued | RunStatus::Waiting) {
        diesel::update(runs::table.find(run.id))
            .set((
                runs::status.eq(Word(RunStatus::Running)),
                runs::started_at.eq(run.started_at.unwrap_or(now)),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn heartbeat(
    connection: &mut SqliteConnection,
    worker: WorkerId,
    until: Time,
    now: Time,
) -> TaskResult<Vec<Claim>> {
    extend(connection, worker, until)?;
    diesel::delete(workers::table)
        .filter((workers::expires_at + REMEMBERED).lt(now))
        .execute(connection)?;
    let held: Vec<(Narrow, Row)> = step_runs::table
        .inner_join(runs::table)
        .filter(step_runs::worker.eq(Id(worker.0)))
        .select((Narrow::as_select(), Row::as_select()))
        .load(connection)?;
    Ok(held.into_iter().map(claim_of).collect())
}

fn extend(connection: &mut SqliteConnection, worker: WorkerId, until: Time) -> TaskResult<()> {
    diesel::insert_into(workers::table)
        .values((workers::id.eq(Id(worker.0)), workers::expires_at.eq(until)))
        .on_conflict(workers::id)
        .do_update()
        .set(workers::expires_at.eq(excluded(workers::expires_at)))
        .execute(connection)?;
    Ok(())
}

pub(super) fn expired(
    connection: &mut SqliteConnection,
    limit: u32,
    now: Time,
) -> TaskResult<Vec<Claim>> {
    let alive = workers::table
        .filter(workers::id.nullable().eq(step_runs::worker))
        .filter(workers::expires_at.ge(now));
    let lost: Vec<(Narrow, Row)> = step_runs::table
        .inner_join(runs::table)
        .filter(step_runs::worker.is_not_null())
        .filter(not(exists(alive)))
        .limit(i64::from(limit))
        .select((Narrow::as_select(), Row::as_select()))
        .load(connection)?;
    Ok(lost.into_iter().map(claim_of).collect())
}
