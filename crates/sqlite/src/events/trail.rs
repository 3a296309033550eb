//! The event log as whoever audits it sees it, and whoever takes away what has had its time.

use std::time::SystemTime;

use archesai_platform::{
    Result,
    chains::{Chain, PLATFORM, Record, Step, Trail},
    events::LoggedEvent,
};
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::Bool,
    sqlite::{Sqlite as Backend, SqliteConnection},
};

use super::{
    EventRow,
    chains::{ChainRow, take},
};
use crate::{
    lend::{Pooled, Sqlite},
    schema::{chains, events},
    task::reading,
    types::{Id, Time, unsigned},
};

/// The chains that are not broken, as the index of their beginnings says it.
const IS_WHOLE: &str = "seal <> zeroblob(32)";

/// The events of an organization, or of none.
fn of(organization: u128) -> events::BoxedQuery<'static, Backend> {
    let query = events::table.into_boxed();
    if organization == PLATFORM {
        query.filter(events::organization_id.is_null())
    } else {
        query.filter(events::organization_id.eq(Id(organization)))
    }
}

fn next(connection: &mut SqliteConnection, after: Id) -> QueryResult<Option<Id>> {
    let with_events = events::table
        .filter(events::organization_id.gt(after))
        .order(events::organization_id)
        .select(events::organization_id.assume_not_null())
        .first::<Id>(connection)
        .optional()?;
    let with_chain = chains::table
        .filter(chains::organization_id.gt(after))
        .order(chains::organization_id)
        .select(chains::organization_id)
        .first::<Id>(connection)
        .optional()?;
    let both = with_events.into_iter().chain(with_chain);
    Ok(both.min_by_key(|id| id.0))
}

/// A record, its position, and what links it.
type RecordRow = (EventRow, i64, Option<Vec<u8>>);

fn records(
    connection: &mut SqliteConnection,
    organization: u128,
    (position, sequence): (i64, i64),
    limit: u32,
) -> QueryResult<Vec<RecordRow>> {
    let later = events::position
        .gt(position)
        .or(events::sequence.nullable().gt(sequence));
    of(organization)
        .filter(events::position.ge(position))
        .filter(later)
        .order((events::position, events::sequence))
        .limit(limit.into())
        .select((
            EventRow::as_select(),
            events::position.assume_not_null(),
            events::mac,
        ))
        .load(connection)
}

fn loose(connection: &mut SqliteConnection, organization: u128) -> QueryResult<Option<EventRow>> {
    let found = of(organization)
        .filter(events::published_at.is_not_null())
        .filter(events::position.is_null())
        .order(events::sequence)
        .select(EventRow::as_select())
        .first(connection)
        .optional()?;
    if found.is_some() || organization != PLATFORM {
        return Ok(found);
    }
    // What belongs to no organization says so, and names none with that id.
    let named = events::table.filter(events::organization_id.eq(Id(PLATFORM)));
    let named = named.select(EventRow::as_select());
    named.first(connection).optional()
}

fn trim(connection: &mut SqliteConnection, step: &Step) -> QueryResult<bool> {
    if !take(connection, step)? {
        return Ok(false);
    }
    if !step.trims() {
        return Ok(true);
    }
    let base = step.becomes.base.position;
    let up_to = events::position.le(base);
    let organization = step.becomes.organization;
    if organization == PLATFORM {
        let gone = events::table.filter(events::organization_id.is_null());
        diesel::delete(gone.filter(up_to)).execute(connection)?;
    } else {
        let gone = events::table.filter(events::organization_id.eq(Id(organization)));
        diesel::delete(gone.filter(up_to)).execute(connection)?;
    }
    Ok(true)
}

impl Trail for Sqlite<Pooled> {
    async fn next(&self, after: u128) -> Result<Option<u128>> {
        let found = reading(&self.0, move |c| Ok(next(c, Id(after))?)).await?;
        Ok(found.map(|id| id.0))
    }

    async fn chain(&self, organization: u128) -> Result<Option<Chain>> {
        let query = chains::table
            .find(Id(organization))
            .select(ChainRow::as_select());
        let row = reading(&self.0, move |c| Ok(query.first(c).optional()?)).await?;
        Ok(row.map(ChainRow::into))
    }

    async fn records(
        &self,
        organization: u128,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<Record>> {
        let read = move |c: &mut SqliteConnection| Ok(records(c, organization, after, limit)?);
        let rows = reading(&self.0, read).await?;
        let records = rows.into_iter().map(|(event, position, mac)| Record {
            event: event.into(),
            position,
            mac: mac.unwrap_or_default(),
        });
        Ok(records.collect())
    }

    async fn loose(&self, organization: u128) -> Result<Option<LoggedEvent>> {
        let found = reading(&self.0, move |c| Ok(loose(c, organization)?)).await?;
        Ok(found.map(EventRow::into))
    }

    async fn pending(&self) -> Result<u64> {
        let count = events::table.filter(events::published_at.is_null()).count();
        let count = reading(&self.0, move |c| Ok(count.get_result(c)?)).await?;
        Ok(unsigned(count))
    }

    async fn begun_before(&self, time: SystemTime, limit: u32) -> Result<Vec<Chain>> {
        let query = chains::table
            .filter(chains::begins_at.lt(Time(time)))
            .filter(sql::<Bool>(IS_WHOLE))
            .order(chains::begins_at)
            .limit(limit.into())
            .select(ChainRow::as_select());
        let rows = reading(&self.0, move |c| Ok(query.load(c)?)).await?;
        Ok(rows.into_iter().map(ChainRow::into).collect())
    }

    async fn trim(&self, step: &Step) -> Result<bool> {
        let step = step.clone();
        self.if_true(move |c| trim(c, &step)).await
    }
}
