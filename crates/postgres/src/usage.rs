//! What organizations did, counted by the day.

use std::collections::BTreeMap;

use archesai_organizations::{Counts, DailyUsage, Day, Error, Figure, OrganizationId, Tally};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Integer, Text, Uuid},
};
use diesel_async::RunQueryDsl;

use crate::{
    errand::Link,
    schema::usage_tallies::{self, is_read, mark},
    sql::{Prepared, Sql},
    task,
    types::{Id, Word},
};

type TaskResult<T> = task::TaskResult<T, Error>;

const LIST: &str = "SELECT day, figure, amount FROM usage WHERE organization_id = $1 \
    AND tally = (SELECT id FROM usage_tallies WHERE is_read) \
    AND day BETWEEN $2 AND $3";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    day: i32,
    #[diesel(sql_type = Text)]
    figure: Word<Figure>,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

pub(crate) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    from: Day,
    to: Day,
) -> TaskResult<Vec<DailyUsage>> {
    let rows: Vec<Row> = Sql::new(LIST)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Integer, _>(from.0)
        .bind::<Integer, _>(to.0)
        .load(&mut link)
        .await?;
    let row = |row: Row| (Day(row.day), row.figure.0, row.amount);
    Ok(DailyUsage::by_day(rows.into_iter().map(row)))
}

pub(crate) async fn current(mut link: Link<'_>) -> TaskResult<Tally> {
    let read = usage_tallies::table.filter(is_read);
    let (current, at) = read
        .select((usage_tallies::id, mark))
        .get_result(&mut link)
        .await?;
    Ok(Tally {
        id: current,
        mark: at,
    })
}

pub(crate) async fn begin(mut link: Link<'_>) -> TaskResult<Tally> {
    let others = diesel::delete(usage_tallies::table.filter(diesel::dsl::not(is_read)));
    others.execute(&mut link).await?;
    let new = diesel::insert_into(usage_tallies::table)
        .values((mark.eq(""), is_read.eq(false)))
        .returning(usage_tallies::id)
        .get_result(&mut link)
        .await?;
    Ok(Tally {
        id: new,
        mark: String::new(),
    })
}

/// Whoever deletes one of the organizations meanwhile waits, or was first and is waited for.
const ADD: &str = "INSERT INTO usage (organization_id, tally, day, figure, amount) \
    SELECT o.id, $1, c.day, c.figure, c.amount \
    FROM unnest($2, $3, $4, $5) AS c (organization_id, day, figure, amount) \
    JOIN organizations AS o ON o.id = c.organization_id ORDER BY o.id FOR KEY SHARE OF o \
    ON CONFLICT (organization_id, tally, day, figure) \
    DO UPDATE SET amount = usage.amount + excluded.amount";

pub(crate) async fn add(
    mut link: Link<'_>,
    tally: &Tally,
    to: &str,
    counts: &Counts,
) -> TaskResult<bool> {
    let tallied = usage_tallies::table.find(tally.id);
    let update = diesel::update(tallied.filter(mark.eq(&tally.mark))).set(mark.eq(to));
    if Prepared(update).execute(&mut link).await? == 0 {
        return Ok(false);
    }
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (organization, day, figure, amount) in counts.iter() {
        columns.0.push(Id(organization.0));
        columns.1.push(day.0);
        columns.2.push(figure.as_str());
        columns.3.push(amount);
    }
    if !columns.0.is_empty() {
        let add = Sql::new(ADD)
            .bind::<BigInt, _>(tally.id)
            .bind::<Array<Uuid>, _>(columns.0)
            .bind::<Array<Integer>, _>(columns.1)
            .bind::<Array<Text>, _>(columns.2)
            .bind::<Array<BigInt>, _>(columns.3);
        add.execute(&mut link).await?;
    }
    Ok(true)
}

/// Waits for whoever adds to the tally that is read. Answers it, if the new one was begun.
const RETIRE: &str = "UPDATE usage_tallies SET is_read = false WHERE is_read \
    AND EXISTS (SELECT FROM usage_tallies WHERE id = $1 AND NOT is_read) RETURNING id";

#[derive(QueryableByName)]
#[diesel(table_name = usage_tallies)]
struct Old {
    id: i64,
}

/// Of the days that are kept, those in the new tally make room.
const CLEAR: &str = "DELETE FROM usage AS u USING unnest($2, $3) AS k (organization_id, first) \
    WHERE u.organization_id = k.organization_id AND u.day < k.first AND u.tally = $1";

/// And those in the old one take it.
const KEEP: &str = "UPDATE usage AS u SET tally = $1 \
    FROM unnest($2, $3) AS k (organization_id, first) \
    WHERE u.organization_id = k.organization_id AND u.day < k.first AND u.tally = $4";

pub(crate) async fn switch(
    mut link: Link<'_>,
    new: i64,
    kept: &BTreeMap<OrganizationId, Day>,
) -> TaskResult<bool> {
    let old: Option<Old> = Sql::new(RETIRE)
        .bind::<BigInt, _>(new)
        .get_result(&mut link)
        .await
        .optional()?;
    let Some(Old { id: old }) = old else {
        return Ok(false);
    };
    let of_kept = |statement| {
        let organizations: Vec<Id> = kept.keys().map(|organization| Id(organization.0)).collect();
        Sql::new(statement)
            .bind::<BigInt, _>(new)
            .bind::<Array<Uuid>, _>(organizations)
            .bind::<Array<Integer>, _>(kept.values().map(|first| first.0).collect::<Vec<i32>>())
    };
    of_kept(CLEAR).execute(&mut link).await?;
    let keep = of_kept(KEEP).bind::<BigInt, _>(old);
    keep.execute(&mut link).await?;
    // The other days go with it.
    let others = diesel::delete(usage_tallies::table.find(old));
    others.execute(&mut link).await?;
    let read = diesel::update(usage_tallies::table.find(new)).set(is_read.eq(true));
    Prepared(read).execute(&mut link).await?;
    Ok(true)
}
