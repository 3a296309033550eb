//! The queue of artifacts that wait to be indexed.

use std::time::SystemTime;

use archesai_content::{
    ArtifactId, IndexStatus, OrganizationId,
    ports::{Claim, IndexJob},
};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Integer, Timestamptz},
};
use diesel_async::RunQueryDsl;

use super::{
    TaskResult,
    artifacts::{self, artifact_columns},
};
use crate::{
    errand::Link,
    schema::artifacts as table,
    sql::{Prepared, Sql},
    types::{Count, Id, Time, Word, storable},
};

/// The artifact whose newest claim has this fence.
macro_rules! claimed {
    ($organization:expr, $id:expr, $fence:expr) => {
        table::table
            .find(Id($id.0))
            .filter(table::organization_id.eq(Id($organization.0)))
            .filter(table::index_fence.eq(Count($fence)))
            .filter(table::index_due.is_not_null())
    };
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(embed)]
    artifact: artifacts::Row,
    #[diesel(sql_type = Integer)]
    index_attempts: Count<u32>,
    #[diesel(sql_type = BigInt)]
    index_fence: Count<u64>,
}

const CLAIM: &str = concat!(
    "WITH due AS MATERIALIZED ( \
         SELECT id, index_due FROM artifacts WHERE index_due <= $2 ORDER BY index_due, id LIMIT $3 \
         FOR NO KEY UPDATE SKIP LOCKED), \
     claimed AS ( \
         UPDATE artifacts AS a SET index_due = $1, index_attempts = a.index_attempts + 1, \
             index_fence = a.index_fence + 1 \
         FROM due WHERE a.id = due.id \
         RETURNING ",
    artifact_columns!(),
    ", a.index_attempts, a.index_fence, due.index_due AS was_due) \
     SELECT * FROM claimed ORDER BY was_due, id"
);

pub(super) async fn claim(mut link: Link<'_>, claim: Claim) -> TaskResult<Vec<IndexJob>> {
    let claimed: Vec<Claimed> = Sql::new(CLAIM)
        .bind::<Timestamptz, _>(Time(claim.until))
        .bind::<Timestamptz, _>(Time(claim.now))
        .bind::<BigInt, _>(i64::from(claim.limit))
        .load(&mut link)
        .await?;
    let job = |row: Claimed| IndexJob {
        artifact: row.artifact.into(),
        attempts: row.index_attempts.0,
        fence: row.index_fence.0,
    };
    Ok(claimed.into_iter().map(job).collect())
}

pub(super) async fn extend(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    until: SystemTime,
) -> TaskResult<bool> {
    let extend =
        diesel::update(claimed!(organization, id, fence)).set(table::index_due.eq(Time(until)));
    Ok(Prepared(extend).execute(&mut link).await? == 1)
}

pub(super) async fn release(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    due: SystemTime,
) -> TaskResult<bool> {
    let release = diesel::update(claimed!(organization, id, fence)).set((
        table::index_due.eq(Time(due)),
        table::index_attempts.eq(table::index_attempts - 1),
    ));
    Ok(Prepared(release).execute(&mut link).await? == 1)
}

pub(super) async fn finish(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
    fence: u64,
    status: IndexStatus,
    error: &str,
) -> TaskResult<bool> {
    let finish = diesel::update(claimed!(organization, id, fence)).set((
        table::index_status.eq(Word(status)),
        table::index_error.eq(storable(error)),
        table::index_due.eq(None::<Time>),
        table::index_fence.eq(table::index_fence + 1),
    ));
    Ok(Prepared(finish).execute(&mut link).await? == 1)
}
