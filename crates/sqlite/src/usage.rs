//! What organizations did, counted by the day.

use std::collections::BTreeMap;

use archesai_organizations::{Counts, DailyUsage, Day, Error, Figure, OrganizationId, Tally};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Text},
    sqlite::SqliteConnection,
};

use crate::{
    schema::{
        usage,
        usage_tallies::{self, is_read, mark},
    },
    task,
    types::Id,
};

type TaskResult<T> = task::TaskResult<T, Error>;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = Text)]
    figure: String,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

pub(crate) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    from: Day,
    to: Day,
) -> TaskResult<Vec<DailyUsage>> {
    let rows: Vec<Row> = sql_query(
        "SELECT day, figure, amount FROM usage WHERE organization_id = ? \
         AND tally = (SELECT id FROM usage_tallies WHERE is_read = 1) \
         AND day BETWEEN ? AND ?",
    )
    .bind::<Binary, _>(Id(organization.0))
    .bind::<BigInt, _>(i64::from(from.0))
    .bind::<BigInt, _>(i64::from(to.0))
    .load(connection)?;
    let row = |row: Row| -> TaskResult<(Day, Figure, i64)> {
        let day = i32::try_from(row.day).map_err(Error::unavailable)?;
        let figure = row.figure.parse().map_err(Error::unavailable)?;
        Ok((Day(day), figure, row.amount))
    };
    let rows = rows.into_iter().map(row).collect::<TaskResult<Vec<_>>>()?;
    Ok(DailyUsage::by_day(rows))
}

pub(crate) fn current(connection: &mut SqliteConnection) -> TaskResult<Tally> {
    let read = usage_tallies::table.filter(is_read.eq(1));
    let (current, at) = read.select((usage_tallies::id, mark)).first(connection)?;
    Ok(Tally {
        id: current,
        mark: at,
    })
}

pub(crate) fn begin(connection: &mut SqliteConnection) -> TaskResult<Tally> {
    diesel::delete(usage_tallies::table.filter(is_read.eq(0))).execute(connection)?;
    let new = diesel::insert_into(usage_tallies::table)
        .values((mark.eq(""), is_read.eq(0)))
        .returning(usage_tallies::id)
        .get_result(connection)?;
    Ok(Tally {
        id: new,
        mark: String::new(),
    })
}

pub(crate) fn add(
    connection: &mut SqliteConnection,
    tally: &Tally,
    to: &str,
    counts: &Counts,
) -> TaskResult<bool> {
    let tallied = usage_tallies::table.find(tally.id);
    let moved = diesel::update(tallied.filter(mark.eq(&tally.mark)))
        .set(mark.eq(to))
        .execute(connection)?;
    if moved == 0 {
        return Ok(false);
    }
    for (organization, day, figure, amount) in counts.iter() {
        sql_query(
            "INSERT INTO usage (organization_id, tally, day, figure, amount) \
             SELECT id, ?, ?, ?, ? FROM organizations WHERE id = ? \
             ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
        )
        .bind::<BigInt, _>(tally.id)
        .bind::<BigInt, _>(i64::from(day.0))
        .bind::<Text, _>(figure.as_str())
        .bind::<BigInt, _>(amount)
        .bind::<Binary, _>(Id(organization.0))
        .execute(connection)?;
    }
    Ok(true)
}

#[derive(QueryableByName)]
struct Old {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

pub(crate) fn switch(
    connection: &mut SqliteConnection,
    new: i64,
    kept: &BTreeMap<OrganizationId, Day>,
) -> TaskResult<bool> {
    let old: Option<Old> = sql_query(
        "UPDATE usage_tallies SET is_read = 0 WHERE is_read = 1 \
         AND EXISTS (SELECT 1 FROM usage_tallies WHERE id = ? AND is_read = 0) RETURNING id",
    )
    .bind::<BigInt, _>(new)
    .get_result(connection)
    .optional()?;
    let Some(Old { id: old }) = old else {
        return Ok(false);
    };
    for (organization, first) in kept {
        let days = usage::table
            .filter(usage::organization_id.eq(Id(organization.0)))
            .filter(usage::day.lt(i64::from(first.0)));
        diesel::delete(days.filter(usage::tally.eq(new))).execute(connection)?;
        diesel::update(days.filter(usage::tally.eq(old)))
            .set(usage::tally.eq(new))
            .execute(connection)?;
    }
    // The other days go with it.
    diesel::delete(usage_tallies::table.find(old)).execute(connection)?;
    diesel::update(usage_tallies::table.find(new))
        .set(is_read.eq(1))
        .execute(connection)?;
    Ok(true)
}
