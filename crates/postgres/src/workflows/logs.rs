//! What step runs tell.

use archesai_workflows::{LogEntry, LogLevel, LogLine, OrganizationId, RunId, StepRunId};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::TaskResult;
use crate::{
    errand::Link,
    events::lock_of,
    schema::step_logs,
    sql::Sql,
    types::{Count, Id, Time, Word, storable},
};

/// Appends lines to the log of a run that is there, one writer at a time: whoever reads on from a
/// place misses none that was given a lower one.
const APPEND: &str = "INSERT INTO step_logs (organization_id, run_id, step_run_id, at, level, message) \
    SELECT s.organization_id, s.run_id, s.id, line.at, line.level, line.message \
    FROM (SELECT pg_advisory_xact_lock($7)) AS locked, step_runs AS s, \
        unnest($4, $5, $6) WITH ORDINALITY AS line (at, level, message, place) \
    WHERE s.id = $3 AND s.run_id = $2 AND s.organization_id = $1 \
    ORDER BY line.place";

pub(super) fn append(
    organization: OrganizationId,
    run: RunId,
    step_run: StepRunId,
    entries: &[LogEntry],
) -> Sql {
    let messages = entries.iter().map(|entry| storable(&entry.message).into());
    Sql::new(APPEND)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Uuid, _>(Id(run.0))
        .bind::<Uuid, _>(Id(step_run.0))
        .bind::<Array<Timestamptz>, Vec<Time>>(entries.iter().map(|entry| Time(entry.at)).collect())
        .bind::<Array<Text>, Vec<_>>(entries.iter().map(|entry| Word(entry.level)).collect())
        .bind::<Array<Text>, Vec<String>>(messages.collect())
        .bind::<BigInt, _>(lock_of(Id(run.0)))
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

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    run: RunId,
    step_run: Option<StepRunId>,
    after: u64,
    limit: u32,
) -> TaskResult<Vec<LogLine>> {
    let mut query = step_logs::table
        .filter(step_logs::run_id.eq(Id(run.0)))
        .filter(step_logs::organization_id.eq(Id(organization.0)))
        .filter(step_logs::sequence.gt(Count(after)))
        .order(step_logs::sequence)
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(step_run) = step_run {
        query = query.filter(step_logs::step_run_id.eq(Id(step_run.0)));
    }
    let rows: Vec<Row> = query.load(&mut link).await?;
    Ok(rows.into_iter().map(LogLine::from).collect())
}
