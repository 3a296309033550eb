//! What step runs tell.

use archesai_workflows::{LogEntry, LogLevel, LogLine, OrganizationId, RunId, StepRunId};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
    sqlite::SqliteConnection,
};

use super::{
    columns::{Count, Word},
    task::TaskResult,
};
use crate::{
    schema::{runs, step_logs, step_runs},
    types::{Id, Time, signed},
};

pub(super) fn append(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
    step_run: StepRunId,
    entries: Vec<LogEntry>,
) -> TaskResult<()> {
    for entry in entries {
        step_runs::table
            .inner_join(runs::table)
            .filter(step_runs::id.eq(Id(step_run.0)))
            .filter(runs::id.eq(Id(run.0)))
            .filter(runs::organization_id.eq(Id(organization.0)))
            .select((
                runs::id,
                step_runs::id,
                Time(entry.at).into_sql::<BigInt>(),
                Word(entry.level).into_sql::<Text>(),
                entry.message.into_sql::<Text>(),
            ))
            .insert_into(step_logs::table)
            .into_columns((
                step_logs::run_id,
                step_logs::step_run_id,
                step_logs::at,
                step_logs::level,
                step_logs::message,
            ))
            .execute(connection)?;
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = step_logs)]
struct Row {
    sequence: Count<u64>,
    run_id: Id,
    step_run_id: Id,
    at: Time,
    level: Word<LogLevel>,
    message: String,
}

impl From<Row> for LogLine {
    fn from(row: Row) -> Self {
        Self {
            sequence: row.sequence.0,
            run_id: RunId(row.run_id.0),
            step_run_id: StepRunId(row.step_run_id.0),
            at: row.at.0,
            level: row.level.0,
            message: row.message,
        }
    }
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    run: RunId,
    step_run: Option<StepRunId>,
    after: u64,
    limit: u32,
) -> TaskResult<Vec<LogLine>> {
    let mut query = step_logs::table
        .inner_join(runs::table)
        .filter(step_logs::run_id.eq(Id(run.0)))
        .filter(runs::organization_id.eq(Id(organization.0)))
        .filter(step_logs::sequence.gt(signed(after)))
        .order(step_logs::sequence)
        .limit(i64::from(limit))
        .select(Row::as_select())
        .into_boxed();
    if let Some(step_run) = step_run {
        query = query.filter(step_logs::step_run_id.eq(Id(step_run.0)));
    }
    let rows: Vec<Row> = query.load(connection)?;
    Ok(rows.into_iter().map(LogLine::from).collect())
}
