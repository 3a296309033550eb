//! Organizations that are no more, and whose content goes.
//!
//! Whoever adds to an organization shares a lock that whoever begins to erase it must have alone. So
//! what is added is there before, and found by who erases, or comes after, and is refused.

use std::time::SystemTime;

use archesai_content::{
    OrganizationId,
    ports::{Claim, Erasure},
};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::TaskResult;
use crate::{
    errand::Link,
    events::lock_of,
    schema::erasures,
    sql::{Prepared, Sql},
    types::{Id, Time},
};

/// Tells the locks of what organizations have from those of what is told of them.
const CONTENT: u128 = u128::from_be_bytes(*b"archesai.content");

fn lock(organization: OrganizationId) -> i64 {
    lock_of(Id(organization.0 ^ CONTENT))
}

/// Holds off whoever begins to erase an organization, until the end of the transaction. Whether it
/// has begun is to be asked in a statement after this one.
pub(super) fn hold_off(organization: OrganizationId) -> Sql {
    Sql::new("SELECT pg_advisory_xact_lock_shared($1)").bind::<BigInt, _>(lock(organization))
}

const BEGIN: &str = "INSERT INTO erasures (organization_id, begun_at, due) VALUES ($1, $2, $2) \
    ON CONFLICT DO NOTHING";

pub(super) fn begin(organization: OrganizationId, now: SystemTime) -> Vec<Sql> {
    let alone = Sql::new("SELECT pg_advisory_xact_lock($1)");
    let begin = Sql::new(BEGIN)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Timestamptz, _>(Time(now));
    vec![alone.bind::<BigInt, _>(lock(organization)), begin]
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Uuid)]
    organization_id: Id,
    #[diesel(sql_type = Timestamptz)]
    begun_at: Time,
}

const CLAIM: &str = "UPDATE erasures SET due = $1 WHERE organization_id IN ( \
        SELECT organization_id FROM erasures WHERE due <= $2 ORDER BY due LIMIT $3 \
        FOR UPDATE SKIP LOCKED) \
    RETURNING organization_id, begun_at";

pub(super) async fn claim(mut link: Link<'_>, claim: Claim) -> TaskResult<Vec<Erasure>> {
    let rows: Vec<Row> = Sql::new(CLAIM)
        .bind::<Timestamptz, _>(Time(claim.until))
        .bind::<Timestamptz, _>(Time(claim.now))
        .bind::<BigInt, _>(i64::from(claim.limit))
        .load(&mut link)
        .await?;
    let erasure = |row: Row| Erasure {
        organization_id: OrganizationId(row.organization_id.0),
        begun_at: row.begun_at.0,
    };
    Ok(rows.into_iter().map(erasure).collect())
}

pub(super) async fn schedule(
    mut link: Link<'_>,
    organization: OrganizationId,
    due: Option<SystemTime>,
) -> TaskResult<()> {
    let schedule = diesel::update(erasures::table.find(Id(organization.0)))
        .set(erasures::due.eq(due.map(Time)));
    Prepared(schedule).execute(&mut link).await?;
    Ok(())
}
