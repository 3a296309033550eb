//! The event log: appended to by every domain, published from by the relay.

use std::{collections::BTreeSet, time::SystemTime};

use archesai_platform::{
    Error, Result,
    events::{EventLog, LoggedEvent},
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::{
    lend::{Failure, Lend, Pooled, Sqlite},
    schema::events,
    types::{Id, Time},
};

/// What is appended to the log, whichever domain it comes from.
pub(crate) struct NewEvent<'a, E> {
    pub(crate) id: u128,
    pub(crate) organization_id: Option<u128>,
    pub(crate) actor_id: Option<u128>,
    pub(crate) aggregate: (&'static str, u128),
    pub(crate) kind: &'static str,
    pub(crate) occurred_at: SystemTime,
    pub(crate) event: &'a E,
}

/// Makes a [`NewEvent`] of a domain's `Recorded`; the domains share no type.
macro_rules! new_event {
    ($recorded:expr) => {
        $crate::events::NewEvent {
            id: $recorded.id,
            organization_id: $recorded.organization_id.map(|id| id.0),
            actor_id: $recorded.actor_id.map(|id| id.0),
            aggregate: $recorded.event.aggregate(),
            kind: $recorded.event.kind(),
            occurred_at: $recorded.occurred_at,
            event: &$recorded.event,
        }
    };
}
pub(crate) use new_event;

impl<L: Lend> Sqlite<L> {
    /// Appends an event.
    pub(crate) async fn append<E: Serialize + std::fmt::Debug + Sync>(
        &self,
        new: NewEvent<'_, E>,
    ) -> Result<(), Failure> {
        let mut connection = self.0.write().await?;
        diesel::insert_into(events::table)
            .values((
                events::id.eq(Id(new.id)),
                events::organization_id.eq(new.organization_id.map(Id)),
                events::actor_id.eq(new.actor_id.map(Id)),
                events::aggregate_kind.eq(new.aggregate.0),
                events::aggregate_id.eq(Id(new.aggregate.1)),
                events::kind.eq(new.kind),
                events::payload.eq(serde_json::to_string(new.event)?),
                events::occurred_at.eq(Time(new.occurred_at)),
            ))
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct EventRow {
    sequence: i64,
    id: Id,
    organization_id: Option<Id>,
    actor_id: Option<Id>,
    aggregate_kind: String,
    aggregate_id: Id,
    kind: String,
    payload: String,
    occurred_at: Time,
}

impl From<EventRow> for LoggedEvent {
    fn from(row: EventRow) -> Self {
        Self {
            sequence: row.sequence,
            id: row.id.0,
            organization_id: row.organization_id.map(|id| id.0),
            actor_id: row.actor_id.map(|id| id.0),
            aggregate_kind: row.aggregate_kind,
            aggregate_id: row.aggregate_id.0,
            kind: row.kind,
            payload: row.payload,
            occurred_at: row.occurred_at.0,
        }
    }
}

impl EventLog for Sqlite<Pooled> {
    async fn unpublished(&self, known: &BTreeSet<i64>, limit: u32) -> Result<Vec<LoggedEvent>> {
        // One writes at a time, so places are given out in the order of the
        // commits: what is new comes after all that is known.
        let after = known.last().copied().unwrap_or(i64::MIN);
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let rows: Vec<EventRow> = events::table
            .filter(events::published_at.is_null())
            .filter(events::sequence.gt(after))
            .order(events::sequence)
            .limit(i64::from(limit))
            .select(EventRow::as_select())
            .load(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn appended(&self) {
        self.0.0.committed.notified().await;
    }

    async fn mark_published(&self, sequences: &[i64]) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        diesel::update(events::table.filter(events::sequence.eq_any(sequences.to_vec())))
            .set(events::published_at.eq(diesel::dsl::sql::<
                diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
            >(
                "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
            )))
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(())
    }

    async fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let rows: Vec<EventRow> = events::table
            .filter(events::aggregate_id.eq(Id(aggregate.1)))
            .filter(events::aggregate_kind.eq(aggregate.0.to_owned()))
            .filter(events::organization_id.eq(Id(organization)))
            .filter(events::sequence.gt(after))
            .order(events::sequence)
            .limit(i64::from(limit))
            .select(EventRow::as_select())
            .load(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
