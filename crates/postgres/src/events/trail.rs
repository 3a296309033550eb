//! The event log as whoever audits it sees it, and whoever takes away what has had its time.

use std::time::SystemTime;

use archesai_platform::{
    Error, Result,
    chains::{Chain, PLATFORM, Record, Step, Trail},
    events::LoggedEvent,
};
use diesel::{
    dsl::sql,
    pg::Pg,
    prelude::*,
    sql_types::{BigInt, Bool, Uuid},
};
use diesel_async::RunQueryDsl;

use super::{
    EventRow,
    chains::{ChainRow, take},
};
use crate::{
    database::Database,
    errand::{Link, read, write},
    lend::{Lend as _, Pooled, Postgres},
    schema::{chains, events},
    session::Scope,
    sql::Sql,
    task::TaskResult,
    types::{Id, Time},
};

/// The chains that are not broken, as the index of their beginnings says it.
const IS_WHOLE: &str = "seal <> decode(repeat('00', 32), 'hex')";

/// The events of an organization, or of none.
fn of(organization: u128) -> events::BoxedQuery<'static, Pg> {
    let query = events::table.into_boxed();
    if organization == PLATFORM {
        query.filter(events::organization_id.is_null())
    } else {
        query.filter(events::organization_id.eq(Id(organization)))
    }
}

async fn next(mut link: Link<'_>, after: Id) -> QueryResult<Option<Id>> {
    let with_events = events::table
        .filter(events::organization_id.gt(after))
        .order(events::organization_id)
        .select(events::organization_id.assume_not_null())
        .first::<Id>(&mut link)
        .await
        .optional()?;
    let with_chain = chains::table
        .filter(chains::organization_id.gt(after))
        .order(chains::organization_id)
        .select(chains::organization_id)
        .first::<Id>(&mut link)
        .await
        .optional()?;
    Ok(with_events.into_iter().chain(with_chain).min())
}

async fn loose(mut link: Link<'_>, organization: u128) -> QueryResult<Option<EventRow>> {
    let found = of(organization)
        .filter(events::published_at.is_not_null())
        .filter(events::position.is_null())
        .order(events::sequence)
        .select(EventRow::as_select())
        .first(&mut link)
        .await
        .optional()?;
    if found.is_some() || organization != PLATFORM {
        return Ok(found);
    }
    // What belongs to no organization says so, and names none with that id.
    let named = events::table.filter(events::organization_id.eq(Id(PLATFORM)));
    let named = named.select(EventRow::as_select());
    named.first(&mut link).await.optional()
}

async fn trim(mut link: Link<'_>, step: &Step) -> QueryResult<bool> {
    if !take(link, std::slice::from_ref(step)).await? {
        return Ok(false);
    }
    if !step.trims() {
        return Ok(true);
    }
    let trim = Sql::new("SELECT archesai_trim_events($1)");
    let trim = trim.bind::<Uuid, _>(Id(step.becomes.organization));
    trim.execute(&mut link).await?;
    Ok(true)
}

impl Trail for Postgres<Pooled> {
    async fn next(&self, after: u128) -> Result<Option<u128>> {
        let look = async |link: Link<'_>| Ok(next(link, Id(after)).await?);
        let found: Option<Id> = self.0.run(read(Scope::System), look).await?;
        Ok(found.map(|id| id.0))
    }

    async fn chain(&self, organization: u128) -> Result<Option<Chain>> {
        let look = async |mut link: Link<'_>| {
            let chain = chains::table
                .find(Id(organization))
                .select(ChainRow::as_select());
            Ok(chain.first(&mut link).await.optional()?)
        };
        let row: Option<ChainRow> = self.0.run(read(Scope::System), look).await?;
        Ok(row.map(ChainRow::into))
    }

    async fn records(
        &self,
        organization: u128,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<Record>> {
        let (position, sequence) = after;
        let look = async |mut link: Link<'_>| {
            let later = events::position
                .gt(position)
                .or(events::sequence.nullable().gt(sequence));
            let rows = of(organization)
                .filter(events::position.ge(position))
                .filter(later)
                .order((events::position, events::sequence))
                .limit(limit.into())
                .select((
                    EventRow::as_select(),
                    events::position.assume_not_null(),
                    events::mac,
                ));
            Ok(rows.load(&mut link).await?)
        };
        let rows = self.0.run(read(Scope::System), look).await?;
        let rows: Vec<(EventRow, i64, Option<Vec<u8>>)> = rows;
        let records = rows.into_iter().map(|(event, position, mac)| Record {
            event: event.into(),
            position,
            mac: mac.unwrap_or_default(),
        });
        Ok(records.collect())
    }

    async fn loose(&self, organization: u128) -> Result<Option<LoggedEvent>> {
        let look = async |link: Link<'_>| Ok(loose(link, organization).await?);
        let found: Option<EventRow> = self.0.run(read(Scope::System), look).await?;
        Ok(found.map(EventRow::into))
    }

    async fn pending(&self) -> Result<u64> {
        let look = async |mut link: Link<'_>| {
            let count = events::table.filter(events::published_at.is_null()).count();
            Ok(count.get_result(&mut link).await?)
        };
        let count: i64 = self.0.run(read(Scope::System), look).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn begun_before(&self, time: SystemTime, limit: u32) -> Result<Vec<Chain>> {
        let look = async |mut link: Link<'_>| {
            let rows: Vec<ChainRow> = chains::table
                .filter(chains::begins_at.lt(Time(time)))
                .filter(sql::<Bool>(IS_WHOLE))
                .order(chains::begins_at)
                .limit(limit.into())
                .select(ChainRow::as_select())
                .load(&mut link)
                .await?;
            Ok(rows)
        };
        let rows = self.0.run(read(Scope::System), look).await?;
        Ok(rows.into_iter().map(ChainRow::into).collect())
    }

    async fn trim(&self, step: &Step) -> Result<bool> {
        let trim =
            async |link: Link<'_>| -> TaskResult<bool, Error> { Ok(trim(link, step).await?) };
        self.if_true(trim).await
    }
}

#[derive(QueryableByName)]
struct Done {
    #[diesel(sql_type = BigInt)]
    done: i64,
}

impl Database {
    /// Makes room for what will be appended to the event log, and gives back the room of what was
    /// taken away from it. Answers how many parts of the log it made and dropped.
    ///
    /// # Errors
    ///
    /// [`archesai_platform::Error`] if the database does not answer.
    pub async fn tend_events(&self) -> Result<u64> {
        let tend = async |mut link: Link<'_>| {
            let tend = Sql::new("SELECT archesai_tend_events() AS done");
            let done: Done = tend.get_result(&mut link).await?;
            Ok(done.done)
        };
        let done: i64 = self.store().0.run(write(Scope::System), tend).await?;
        Ok(u64::try_from(done).unwrap_or_default())
    }
}
