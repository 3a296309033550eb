//! The event log: appended to by every domain, published from by the relay.

mod chains;
mod trail;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use archesai_platform::{
    Result,
    chains::{Chain, Extension},
    events::{Changes, History, LoggedEvent, Mark, Outbox, Piece},
};
use diesel::{dsl::max, prelude::*, sqlite::SqliteConnection};

use self::chains::ChainRow;
use crate::{
    lend::{Failure, Lend, Pooled, Sqlite},
    schema::{chains as chain_rows, events},
    task::reading,
    types::{Id, Time},
};

/// The time of the database, in microseconds.
const NOW: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/// What is appended to the log, whichever domain it comes from.
#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub(crate) struct NewEvent {
    pub(crate) id: Id,
    pub(crate) organization_id: Option<Id>,
    pub(crate) actor_id: Option<Id>,
    pub(crate) aggregate_kind: &'static str,
    pub(crate) aggregate_id: Id,
    pub(crate) kind: &'static str,
    pub(crate) payload: String,
    pub(crate) occurred_at: Time,
}

/// Makes a [`NewEvent`] of a domain's `Recorded`, or says why it cannot be
/// written down; the domains share no type.
macro_rules! new_event {
    ($recorded:expr) => {{
        let (aggregate_kind, aggregate_id) = $recorded.event.aggregate();
        serde_json::to_string(&$recorded.event).map(|payload| $crate::events::NewEvent {
            id: $crate::types::Id($recorded.id),
            organization_id: $recorded.organization_id.map(|id| $crate::types::Id(id.0)),
            actor_id: $recorded.actor_id.map(|id| $crate::types::Id(id.0)),
            aggregate_kind,
            aggregate_id: $crate::types::Id(aggregate_id),
            kind: $recorded.event.kind(),
            payload,
            occurred_at: $crate::types::Time($recorded.occurred_at),
        })
    }};
}
pub(crate) use new_event;

impl<L: Lend> Sqlite<L> {
    /// Appends events, in this order.
    pub(crate) async fn append(
        &self,
        events: impl IntoIterator<Item = serde_json::Result<NewEvent>> + Send,
    ) -> Result<(), Failure> {
        let events: Vec<NewEvent> = events.into_iter().collect::<Result<_, _>>()?;
        let insert = move |connection: &mut SqliteConnection| {
            for event in &events {
                diesel::insert_into(events::table)
                    .values(event)
                    .execute(connection)?;
            }
            Ok(())
        };
        self.0.post(insert).await
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

impl Outbox for Sqlite<Pooled> {
    async fn unpublished(&self, known: &BTreeSet<i64>, limit: u32) -> Result<Vec<LoggedEvent>> {
        // One writes at a time, so places are given out in the order of the
        // commits: what is new comes after all that is known.
        let after = known.last().copied().unwrap_or(i64::MIN);
        let query = events::table
            .filter(events::published_at.is_null())
            .filter(events::sequence.gt(after))
            .order(events::sequence)
            .limit(limit.into())
            .select(EventRow::as_select());
        let rows = reading(&self.0, move |c| Ok(query.load(c)?)).await?;
        Ok(rows.into_iter().map(EventRow::into).collect())
    }

    async fn appended(&self) {
        self.0.0.committed.notified().await;
    }

    async fn chains(&self, organizations: &BTreeSet<u128>) -> Result<Vec<Chain>> {
        let ids: Vec<Id> = organizations.iter().copied().map(Id).collect();
        let query = chain_rows::table
            .filter(chain_rows::organization_id.eq_any(ids))
            .select(ChainRow::as_select());
        let rows = reading(&self.0, move |c| Ok(query.load(c)?)).await?;
        Ok(rows.into_iter().map(ChainRow::into).collect())
    }

    async fn mark_published(&self, extension: &Extension) -> Result<bool> {
        self.extend_chains(extension).await
    }

    /// A file has one process, and the process one right to give.
    async fn lead(&self, node: u128, lease: Duration) -> Result<bool> {
        let mut leader = self.0.0.leader();
        let now = Instant::now();
        let is_free = leader.is_none_or(|(holder, until)| holder == node || until <= now);
        if is_free {
            *leader = Some((node, now + lease));
        }
        Ok(is_free)
    }

    async fn resign(&self, node: u128) -> Result<()> {
        let mut leader = self.0.0.leader();
        if leader.is_some_and(|(holder, _)| holder == node) {
            *leader = None;
        }
        Ok(())
    }
}

impl Changes for Sqlite<Pooled> {
    async fn mark(&self) -> Result<Mark> {
        let last = reading(&self.0, |c| Ok(last_place(c)?)).await?;
        Ok(Mark {
            floor: last.unwrap_or_default(),
            known: BTreeMap::new(),
        })
    }

    /// Places are given out in the order of the commits, so the last one is the mark, of whichever
    /// kind it is: what was passed over is not looked at again.
    async fn since(&self, mark: Mark, kinds: &[&str], limit: u32) -> Result<Piece> {
        let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let query = events::table
            .filter(events::sequence.gt(mark.floor))
            .filter(events::aggregate_kind.eq_any(kinds))
            .order(events::sequence)
            .limit(limit.into())
            .select(EventRow::as_select());
        let look = move |c: &mut SqliteConnection| {
            let last = last_place(c)?.unwrap_or_default();
            let rows: Vec<EventRow> = query.filter(events::sequence.le(last)).load(c)?;
            Ok((last, rows))
        };
        let (last, rows) = reading(&self.0, look).await?;
        let full = rows.len() >= limit as usize;
        let end = rows
            .last()
            .filter(|_| full)
            .map_or(last, |row| row.sequence);
        let floor = end.max(mark.floor);
        Ok(Piece {
            events: rows.into_iter().map(EventRow::into).collect(),
            mark: Mark { floor, ..mark },
            is_last: !full,
        })
    }
}

/// The place of the newest event.
fn last_place(connection: &mut SqliteConnection) -> QueryResult<Option<i64>> {
    events::table
        .select(max(events::sequence))
        .first(connection)
}

impl History for Sqlite<Pooled> {
    async fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>> {
        let query = events::table
            .filter(events::aggregate_id.eq(Id(aggregate.1)))
            .filter(events::aggregate_kind.eq(aggregate.0.to_owned()))
            .filter(events::organization_id.eq(Id(organization)))
            .filter(events::sequence.gt(after))
            .order(events::sequence)
            .limit(limit.into())
            .select(EventRow::as_select());
        let rows = reading(&self.0, move |c| Ok(query.load(c)?)).await?;
        Ok(rows.into_iter().map(EventRow::into).collect())
    }
}
