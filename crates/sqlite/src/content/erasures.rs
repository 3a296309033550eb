//! Organizations that are no more, and whose content goes.

use std::time::SystemTime;

use archesai_content::{
    Error, OrganizationId,
    ports::{Claim, Erasure},
};
use diesel::{
    dsl::exists,
    prelude::*,
    select, sql_query,
    sql_types::{BigInt, Binary},
    sqlite::SqliteConnection,
};

use super::task::TaskResult;
use crate::{
    schema::erasures,
    types::{Id, Time},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    organization_id: Id,
    #[diesel(sql_type = BigInt)]
    begun_at: Time,
}

pub(super) fn begin(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    now: SystemTime,
) -> TaskResult<()> {
    diesel::insert_into(erasures::table)
        .values((
            erasures::organization_id.eq(Id(organization.0)),
            erasures::begun_at.eq(Time(now)),
            erasures::due.eq(Time(now)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(())
}

/// Whether an erasure waits.
pub(super) fn any_due(connection: &mut SqliteConnection, now: SystemTime) -> TaskResult<bool> {
    let due = erasures::table.filter(erasures::due.le(Time(now)));
    Ok(select(exists(due)).get_result(connection)?)
}

pub(super) fn claim(connection: &mut SqliteConnection, claim: Claim) -> TaskResult<Vec<Erasure>> {
    let rows: Vec<Row> = sql_query(
        "UPDATE erasures SET due = ? WHERE organization_id IN ( \
           SELECT organization_id FROM erasures WHERE due <= ? ORDER BY due LIMIT ?) \
         RETURNING organization_id, begun_at",
    )
    .bind::<BigInt, _>(Time(claim.until))
    .bind::<BigInt, _>(Time(claim.now))
    .bind::<BigInt, _>(i64::from(claim.limit))
    .load(connection)?;
    let erasure = |row: Row| Erasure {
        organization_id: OrganizationId(row.organization_id.0),
        begun_at: row.begun_at.0,
    };
    Ok(rows.into_iter().map(erasure).collect())
}

pub(super) fn schedule(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    due: Option<SystemTime>,
) -> TaskResult<()> {
    diesel::update(erasures::table.find(Id(organization.0)))
        .set(erasures::due.eq(due.map(Time)))
        .execute(connection)?;
    Ok(())
}

/// Refuses to have added something to an organization whose content goes. Comes
/// after the insertion, which is undone then: what writes must write first.
pub(super) fn refuse(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
) -> TaskResult<()> {
    let erased = erasures::table.find(Id(organization.0));
    if select(exists(erased)).get_result(connection)? {
        return Err(Error::NotFound.into());
    }
    Ok(())
}
