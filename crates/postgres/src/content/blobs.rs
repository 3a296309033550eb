//! Bytes that wait to be deleted.

use std::time::SystemTime;

use archesai_content::{
    OrganizationId,
    ports::{BlobDeletion, Claim},
};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::TaskResult;
use crate::{
    errand::Link,
    schema::blob_deletions,
    sql::Sql,
    types::{Id, Time},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Uuid)]
    organization_id: Id,
    #[diesel(sql_type = Text)]
    blob_key: String,
}

const INSERT: &str = "INSERT INTO blob_deletions (blob_key, organization_id, due) \
    VALUES ($1, $2, $3) ON CONFLICT (blob_key) DO UPDATE SET due = excluded.due";

pub(super) async fn insert(
    mut link: Link<'_>,
    organization: OrganizationId,
    blob_key: &str,
    due: SystemTime,
) -> TaskResult<()> {
    let insert = Sql::new(INSERT)
        .bind::<Text, _>(blob_key.to_owned())
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Timestamptz, _>(Time(due));
    insert.execute(&mut link).await?;
    Ok(())
}

pub(super) async fn cancel(
    mut link: Link<'_>,
    organization: OrganizationId,
    blob_key: &str,
    due: SystemTime,
) -> TaskResult<bool> {
    let deletion = blob_deletions::table
        .find(blob_key)
        .filter(blob_deletions::organization_id.eq(Id(organization.0)))
        .filter(blob_deletions::due.eq(Time(due)));
    Ok(diesel::delete(deletion).execute(&mut link).await? == 1)
}

const CLAIM: &str = "UPDATE blob_deletions SET due = $1 WHERE blob_key IN ( \
        SELECT blob_key FROM blob_deletions WHERE due <= $2 ORDER BY due LIMIT $3 \
        FOR UPDATE SKIP LOCKED) \
    RETURNING organization_id, blob_key";

pub(super) async fn claim(mut link: Link<'_>, claim: Claim) -> TaskResult<Vec<BlobDeletion>> {
    let rows: Vec<Row> = Sql::new(CLAIM)
        .bind::<Timestamptz, _>(Time(claim.until))
        .bind::<Timestamptz, _>(Time(claim.now))
        .bind::<BigInt, _>(i64::from(claim.limit))
        .load(&mut link)
        .await?;
    let deletion = |row: Row| BlobDeletion {
        organization_id: OrganizationId(row.organization_id.0),
        blob_key: row.blob_key,
    };
    Ok(rows.into_iter().map(deletion).collect())
}

pub(super) async fn finish(
    mut link: Link<'_>,
    organization: OrganizationId,
    blob_key: &str,
) -> TaskResult<()> {
    let deletion = blob_deletions::table
        .find(blob_key)
        .filter(blob_deletions::organization_id.eq(Id(organization.0)));
    diesel::delete(deletion).execute(&mut link).await?;
    Ok(())
}
