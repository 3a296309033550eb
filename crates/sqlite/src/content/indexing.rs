//! The queue of artifacts that wait to be indexed.

use std::time::SystemTime;

use archesai_content::{
    ArtifactId, Error, IndexStatus, OrganizationId,
    ports::{Claim, IndexJob},
};
use diesel::{
    dsl::exists,
    prelude::*,
    select, sql_query,
    sql_types::{BigInt, Binary},
    sqlite::SqliteConnection,
};

use super::{artifacts::find_all, task::TaskResult};
use crate::{
    schema::artifacts,
    types::{Id, Time, signed, unsigned},
};

/// The artifact whose newest claim has this fence.
macro_rules! claimed {
    ($organization:expr, $id:expr, $fence:expr) => {
        artifacts::table
            .find(Id($id.0))
            .filter(artifacts::organization_id.eq(Id($organization.0)))
            .filter(artifacts::index_fence.eq(signed($fence)))
            .filter(artifacts::index_due.is_not_null())
    };
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = Binary)]
    id: Id,
    #[diesel(sql_type = BigInt)]
    index_attempts: i64,
    #[diesel(sql_type = BigInt)]
    index_fence: i64,
}

/// Whether an artifact waits.
pub(super) fn any_due(connection: &mut SqliteConnection, now: SystemTime) -> TaskResult<bool> {
    let due = artifacts::table.filter(artifacts::index_due.le(Time(now)));
    Ok(select(exists(due)).get_result(connection)?)
}

pub(super) fn claim(connection: &mut SqliteConnection, claim: Claim) -> TaskResult<Vec<IndexJob>> {
    let claimed: Vec<Claimed> = sql_query(
        "UPDATE artifacts SET index_due = ?, index_attempts = index_attempts + 1, \
           index_fence = index_fence + 1 WHERE id IN ( \
           SELECT id FROM artifacts WHERE index_due <= ? ORDER BY index_due LIMIT ?) \
         RETURNING id, index_attempts, index_fence",
    )
    .bind::<BigInt, _>(Time(claim.until))
    .bind::<BigInt, _>(Time(claim.now))
    .bind::<BigInt, _>(i64::from(claim.limit))
    .load(connection)?;
    let ids: Vec<Id> = claimed.iter().map(|row| row.id).collect();
    find_all(connection, &ids)?
        .into_iter()
        .zip(claimed)
        .map(|(artifact, row)| {
            Ok(IndexJob {
                artifact,
                attempts: u32::try_from(row.index_attempts).map_err(Error::unavailable)?,
                fence: unsigned(row.index_fence),
            })
        })
        .collect()
}

pub(super) fn extend(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    until: SystemTime,
) -> TaskResult<bool> {
    let extended = diesel::update(claimed!(organization, id, fence))
        .set(artifacts::index_due.eq(Time(until)))
        .execute(connection)?;
    Ok(extended == 1)
}

pub(super) fn release(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    due: SystemTime,
) -> TaskResult<bool> {
    let released = diesel::update(claimed!(organization, id, fence))
        .set((
            artifacts::index_due.eq(Time(due)),
            artifacts::index_attempts.eq(artifacts::index_attempts - 1),
        ))
        .execute(connection)?;
    Ok(released == 1)
}

pub(super) fn finish(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    status: IndexStatus,
    error: &str,
) -> TaskResult<bool> {
    let finished = diesel::update(claimed!(organization, id, fence))
        .set((
            artifacts::index_status.eq(status.as_str()),
            artifacts::index_error.eq(error),
            artifacts::index_due.eq(None::<Time>),
            artifacts::index_fence.eq(artifacts::index_fence + 1),
        ))
        .execute(connection)?;
    Ok(finished == 1)
}
