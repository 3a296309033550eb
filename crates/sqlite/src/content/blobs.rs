//! Bytes that wait to be deleted.

use std::time::SystemTime;

use archesai_content::{
    OrganizationId,
    ports::{BlobDeletion, Claim},
};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Text},
    sqlite::SqliteConnection,
};

use super::task::TaskResult;
use crate::{
    schema::blob_deletions,
    types::{Id, Time},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    organization_id: Id,
    #[diesel(sql_type = Text)]
    blob_key: String,
}

pub(super) fn insert(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    blob_key: &str,
    due: SystemTime,
) -> TaskResult<()> {
    diesel::insert_into(blob_deletions::table)
        .values((
            blob_deletions::blob_key.eq(blob_key),
            blob_deletions::organization_id.eq(Id(organization.0)),
            blob_deletions::due.eq(Time(due)),
        ))
        .on_conflict(blob_deletions::blob_key)
        .do_update()
        .set(blob_deletions::due.eq(Time(due)))
        .execute(connection)?;
    Ok(())
}

pub(super) fn cancel(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    blob_key: &str,
    due: SystemTime,
) -> TaskResult<bool> {
    let cancelled = diesel::delete(
        blob_deletions::table
            .find(blob_key)
            .filter(blob_deletions::organization_id.eq(Id(organization.0)))
            .filter(blob_deletions::due.eq(Time(due))),
    )
    .execute(connection)?;
    Ok(cancelled == 1)
}

pub(super) fn claim(
    connection: &mut SqliteConnection,
    claim: Claim,
) -> TaskResult<Vec<BlobDeletion>> {
    let rows: Vec<Row> = sql_query(
        "UPDATE blob_deletions SET due = ? WHERE blob_key IN ( \
           SELECT blob_key FROM blob_deletions WHERE due <= ? ORDER BY due LIMIT ?) \
         RETURNING organization_id, blob_key",
    )
    .bind::<BigInt, _>(Time(claim.until))
    .bind::<BigInt, _>(Time(claim.now))
    .bind::<BigInt, _>(i64::from(claim.limit))
    .load(connection)?;
    let deletion = |row: Row| BlobDeletion {
        organization_id: OrganizationId(row.organization_id.0),
        blob_key: row.blob_key,
    };
    Ok(rows.into_iter().map(deletion).collect())
}

pub(super) fn finish(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    blob_key: &str,
) -> TaskResult<()> {
    diesel::delete(
        blob_deletions::table
            .find(blob_key)
            .filter(blob_deletions::organization_id.eq(Id(organization.0))),
    )
    .execute(connection)?;
    Ok(())
}
