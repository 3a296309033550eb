//! The queue of step runs, and who holds them.

use std::time::{Duration, SystemTime};

use archesai_workflows::{WorkerId, engine::Claim};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::{TaskResult, runs::Narrow, steps::Row};
use crate::{
    errand::Link,
    schema::step_runs,
    sql::Sql,
    types::{Count, Id, Time, Word},
};

/// A step run with its run, as statements in SQL answer them.
#[derive(QueryableByName)]
struct Held {
    #[diesel(embed)]
    step: Row,
    #[diesel(sql_type = Uuid)]
    pipeline_id: Id,
    #[diesel(sql_type = BigInt)]
    pipeline_version: Count<u64>,
    #[diesel(sql_type = Text)]
    run_status: Word<archesai_workflows::RunStatus>,
    #[diesel(sql_type = Integer)]
    progress: Count<u16>,
    #[diesel(sql_type = Uuid)]
    created_by: Id,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    run_started_at: Option<Time>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    run_completed_at: Option<Time>,
}

impl From<Held> for Claim {
    fn from(row: Held) -> Self {
        let run = Narrow {
            id: row.step.run_id,
            organization_id: row.step.organization_id,
            pipeline_id: row.pipeline_id,
            pipeline_version: row.pipeline_version,
            status: row.run_status,
            progress: row.progress,
            created_by: row.created_by,
            started_at: row.run_started_at,
            completed_at: row.run_completed_at,
        };
        Self {
            run: run.into(),
            step: row.step.into(),
        }
    }
}

/// What [`Held`] shows of a run.
macro_rules! of_the_run {
    () => {
        "r.pipeline_id, r.pipeline_version, r.status AS run_status, r.progress, r.created_by, \
         r.started_at AS run_started_at, r.completed_at AS run_completed_at"
    };
}

/// Makes the lease of the worker `$1` last `$3` seconds from `$2`, or if that is null from the time
/// of the database.
macro_rules! lease {
    () => {
        "leased AS ( \
             INSERT INTO workers (id, expires_at) \
             VALUES ($1, coalesce($2, clock_timestamp()) + make_interval(secs => $3)) \
             ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at)"
    };
}

/// When it is, and whose clock says so.
#[derive(Clone, Copy)]
pub(super) struct Now {
    /// The time of whoever calls: what is due goes by it.
    pub(super) called: Time,
    /// The time that leases go by, if it is not that of the database.
    pub(super) leases: Option<Time>,
}

/// When the first step run is due.
pub(super) async fn next_due(mut link: Link<'_>) -> TaskResult<Option<SystemTime>> {
    let first: Option<Option<Time>> = step_runs::table
        .filter(step_runs::ready_at.is_not_null())
        .order(step_runs::ready_at)
        .select(step_runs::ready_at)
        .first(&mut link)
        .await
        .optional()?;
    Ok(first.flatten().map(|due| due.0))
}

/// Runs are locked along with their steps, since whoever has locked a run decides about all of its
/// steps. Nobody is waited for.
const CLAIM: &str = concat!(
    "WITH ",
    lease!(),
    ", due AS MATERIALIZED ( \
         SELECT s.id, s.run_id, s.ready_at, ",
    of_the_run!(),
    " FROM step_runs AS s JOIN runs AS r ON r.id = s.run_id \
         WHERE s.ready_at <= $4 ORDER BY s.ready_at, s.id LIMIT $5 \
         FOR NO KEY UPDATE OF s, r SKIP LOCKED), \
     begun AS ( \
         UPDATE runs SET status = 'running', started_at = coalesce(started_at, $4) \
         WHERE id IN (SELECT run_id FROM due) AND status IN ('queued', 'waiting')), \
     claimed AS ( \
         UPDATE step_runs AS s SET status = 'running', worker = $1, attempt = s.attempt + 1, \
             fence = s.fence + 1, ready_at = NULL, started_at = coalesce(s.started_at, $4) \
         FROM due WHERE s.id = due.id \
         RETURNING s.*, due.ready_at AS was_due, due.pipeline_id, due.pipeline_version, \
             due.run_status, due.progress, due.created_by, due.run_started_at, \
             due.run_completed_at) \
     SELECT * FROM claimed ORDER BY was_due, id"
);

pub(super) async fn claim(
    mut link: Link<'_>,
    worker: WorkerId,
    limit: u32,
    lease: Duration,
    now: Now,
) -> TaskResult<Vec<Claim>> {
    let claimed: Vec<Held> = Sql::new(CLAIM)
        .bind::<Uuid, _>(Id(worker.0))
        .bind::<Nullable<Timestamptz>, _>(now.leases)
        .bind::<Double, _>(lease.as_secs_f64())
        .bind::<Timestamptz, _>(now.called)
        .bind::<BigInt, _>(i64::from(limit))
        .load(&mut link)
        .await?;
    Ok(claimed.into_iter().map(Claim::from).collect())
}

/// A worker is remembered for an hour after its lease.
const HEARTBEAT: &str = concat!(
    "WITH ",
    lease!(),
    ", forgotten AS ( \
         DELETE FROM workers WHERE id IN ( \
             SELECT id FROM workers \
             WHERE expires_at < coalesce($2, clock_timestamp()) - interval '1 hour' AND id <> $1 \
             FOR UPDATE SKIP LOCKED)) \
     SELECT s.*, ",
    of_the_run!(),
    " FROM step_runs AS s JOIN runs AS r ON r.id = s.run_id WHERE s.worker = $1"
);

pub(super) async fn heartbeat(
    mut link: Link<'_>,
    worker: WorkerId,
    lease: Duration,
    now: Now,
) -> TaskResult<Vec<Claim>> {
    let held: Vec<Held> = Sql::new(HEARTBEAT)
        .bind::<Uuid, _>(Id(worker.0))
        .bind::<Nullable<Timestamptz>, _>(now.leases)
        .bind::<Double, _>(lease.as_secs_f64())
        .load(&mut link)
        .await?;
    Ok(held.into_iter().map(Claim::from).collect())
}

const EXPIRED: &str = concat!(
    "SELECT s.*, ",
    of_the_run!(),
    " FROM step_runs AS s JOIN runs AS r ON r.id = s.run_id \
     WHERE s.worker IS NOT NULL AND NOT EXISTS ( \
         SELECT FROM workers AS w \
         WHERE w.id = s.worker AND w.expires_at >= coalesce($1, clock_timestamp())) \
     LIMIT $2"
);

pub(super) async fn expired(mut link: Link<'_>, limit: u32, now: Now) -> TaskResult<Vec<Claim>> {
    let lost: Vec<Held> = Sql::new(EXPIRED)
        .bind::<Nullable<Timestamptz>, _>(now.leases)
        .bind::<BigInt, _>(i64::from(limit))
        .load(&mut link)
        .await?;
    Ok(lost.into_iter().map(Claim::from).collect())
}
