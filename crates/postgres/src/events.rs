//! The event log: appended to by every domain, published from by the relay.
//!
//! Places are given out before transactions commit, so a place may be seen later than one after it.
//! Whoever appends holds a lock on the aggregate until the commit: among the events of one aggregate
//! the order of places is the order of commits. The relay asks for all that it does not know, and
//! so misses nothing that comes late.

mod chains;
mod trail;

use std::{collections::BTreeSet, time::Duration};

use archesai_platform::{
    Result,
    chains::{Chain, Extension},
    events::{Changes, History, LoggedEvent, Mark, Outbox, Piece},
};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Double, Json, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use self::chains::ChainRow;
use crate::{
    errand::{Link, read, together, write},
    lend::{Lend, Pooled, Postgres},
    schema::{chains as chain_rows, events},
    session::Scope,
    sql::Sql,
    task::PortError,
    types::{Id, JsonText, Time},
};

/// What is appended to the log, whichever domain it comes from.
pub(crate) struct NewEvent {
    pub(crate) id: Id,
    pub(crate) organization_id: Option<Id>,
    pub(crate) actor_id: Option<Id>,
    pub(crate) aggregate: (&'static str, Id),
    pub(crate) kind: &'static str,
    pub(crate) payload: JsonText,
    pub(crate) occurred_at: Time,
}

/// Makes a [`NewEvent`] of a domain's `Recorded`, or says why it cannot be written down; the domains
/// share no type.
macro_rules! new_event {
    ($recorded:expr) => {{
        let (kind, id) = $recorded.event.aggregate();
        $crate::types::JsonText::of(&$recorded.event).map(|payload| $crate::events::NewEvent {
            id: $crate::types::Id($recorded.id),
            organization_id: $recorded.organization_id.map(|id| $crate::types::Id(id.0)),
            actor_id: $recorded.actor_id.map(|id| $crate::types::Id(id.0)),
            aggregate: (kind, $crate::types::Id(id)),
            kind: $recorded.event.kind(),
            payload,
            occurred_at: $crate::types::Time($recorded.occurred_at),
        })
    }};
}
pub(crate) use new_event;

/// Appends events in their order, after locking their aggregates in the order of the locks.
const APPEND: &str = "INSERT INTO events (id, organization_id, actor_id, aggregate_kind, \
        aggregate_id, kind, payload, occurred_at) \
    SELECT e.id, e.organization, e.actor, e.aggregate_kind, e.aggregate, e.kind, e.payload, e.at \
    FROM (SELECT count(pg_advisory_xact_lock(key)) FROM unnest($9) AS key) AS locked, \
        unnest($1, $2, $3, $4, $5, $6, $7, $8) WITH ORDINALITY \
        AS e (id, organization, actor, aggregate_kind, aggregate, kind, payload, at, place) \
    ORDER BY e.place";

fn append(mut events: Vec<NewEvent>) -> Sql {
    let payloads = events.iter_mut().map(|e| e.payload.take()).collect();
    let locks: BTreeSet<i64> = events.iter().map(|e| lock_of(e.aggregate.1)).collect();
    let organizations: Vec<_> = events.iter().map(|e| e.organization_id).collect();
    let actors: Vec<_> = events.iter().map(|e| e.actor_id).collect();
    Sql::new(APPEND)
        .bind::<Array<Uuid>, Vec<Id>>(events.iter().map(|e| e.id).collect())
        .bind::<Array<Nullable<Uuid>>, _>(organizations)
        .bind::<Array<Nullable<Uuid>>, _>(actors)
        .bind::<Array<Text>, Vec<&str>>(events.iter().map(|e| e.aggregate.0).collect())
        .bind::<Array<Uuid>, Vec<Id>>(events.iter().map(|e| e.aggregate.1).collect())
        .bind::<Array<Text>, Vec<&str>>(events.iter().map(|e| e.kind).collect())
        .bind::<Array<Json>, Vec<JsonText>>(payloads)
        .bind::<Array<Timestamptz>, Vec<Time>>(events.iter().map(|e| e.occurred_at).collect())
        .bind::<Array<BigInt>, Vec<i64>>(locks.into_iter().collect())
}

/// The lock of an aggregate: who holds it appends to what is told of it. That two share one now and then does no harm.
pub(crate) fn lock_of(aggregate: Id) -> i64 {
    let bytes = aggregate.0.to_be_bytes();
    let (halves, _) = bytes.as_chunks::<8>();
    let fold = |folded, half: &[u8; 8]| folded ^ i64::from_be_bytes(*half);
    halves.iter().fold(0, fold)
}

impl<L: Lend> Postgres<L> {
    /// Appends events, in this order.
    pub(crate) async fn append<E: PortError>(
        &self,
        events: impl IntoIterator<Item = serde_json::Result<NewEvent>> + Send,
    ) -> std::result::Result<(), E> {
        let events: Result<Vec<NewEvent>, _> = events.into_iter().collect();
        let events = events.map_err(|error| E::unavailable(error.into()))?;
        let Some(first) = events.as_slice().first() else {
            return Ok(());
        };
        let organization = first.organization_id;
        let is_of_one = events.iter().all(|e| e.organization_id == organization);
        let scope = match organization {
            Some(id) if is_of_one => Scope::Tenant(id.0),
            _ => Scope::System,
        };
        self.0.later(together(scope), vec![append(events)]).await
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
    payload: JsonText,
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
            payload: row.payload.0,
            occurred_at: row.occurred_at.0,
        }
    }
}

/// Takes the right to publish, unless somebody else has it.
const LEAD: &str = "INSERT INTO leases AS l (name, holder, until) \
    VALUES ('relay', $1, now() + make_interval(secs => $2)) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
    WHERE l.holder = excluded.holder OR l.until < now()";

/// The oldest transaction that has not ended: what those below it appended can be seen.
const FLOOR: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS floor";

#[derive(QueryableByName)]
struct Floor {
    #[diesel(sql_type = BigInt)]
    floor: i64,
}

/// The piece that rows in the order of their transactions are, of which `floor` is the oldest that had
/// not ended. Where there is more, it goes on with the transaction that the last row is of.
fn piece(mark: Mark, floor: i64, mut rows: Vec<(i64, EventRow)>, limit: u32) -> Piece {
    let is_last = rows.len() < limit as usize;
    let more = rows.last().filter(|_| !is_last);
    let floor = more.map_or(floor, |(transaction, _)| floor.min(*transaction));
    let places = rows
        .iter()
        .map(|(transaction, row)| (row.sequence, *transaction));
    let mut known = mark.known;
    known.extend(places);
    known.retain(|_, transaction| *transaction >= floor);
    rows.sort_unstable_by_key(|(_, row)| row.sequence);
    Piece {
        events: rows.into_iter().map(|(_, row)| row.into()).collect(),
        mark: Mark { floor, known },
        is_last,
    }
}

impl Outbox for Postgres<Pooled> {
    async fn unpublished(&self, known: &BTreeSet<i64>, limit: u32) -> Result<Vec<LoggedEvent>> {
        let look = async |mut link: Link<'_>| {
            let known: Vec<i64> = known.iter().copied().collect();
            let rows: Vec<EventRow> = events::table
                .filter(events::published_at.is_null())
                .filter(events::sequence.ne_all(known))
                .order(events::sequence)
                .limit(limit.into())
                .select(EventRow::as_select())
                .load(&mut link)
                .await?;
            Ok(rows)
        };
        let rows = self.0.run(read(Scope::System), look).await?;
        Ok(rows.into_iter().map(EventRow::into).collect())
    }

    /// Hears of the commits of this process.
    async fn appended(&self) {
        self.0.0.wait_for_commit().await;
    }

    async fn chains(&self, organizations: &BTreeSet<u128>) -> Result<Vec<Chain>> {
        let look = async |mut link: Link<'_>| {
            let ids: Vec<Id> = organizations.iter().copied().map(Id).collect();
            let rows: Vec<ChainRow> = chain_rows::table
                .filter(chain_rows::organization_id.eq_any(ids))
                .select(ChainRow::as_select())
                .load(&mut link)
                .await?;
            Ok(rows)
        };
        let rows = self.0.run(read(Scope::System), look).await?;
        Ok(rows.into_iter().map(ChainRow::into).collect())
    }

    async fn mark_published(&self, extension: &Extension) -> Result<bool> {
        self.extend_chains(extension).await
    }

    async fn lead(&self, node: u128, lease: Duration) -> Result<bool> {
        let seconds = lease.as_secs_f64();
        let take = async |mut link: Link<'_>| {
            let take = Sql::new(LEAD)
                .bind::<Uuid, _>(Id(node))
                .bind::<Double, _>(seconds);
            Ok(take.execute(&mut link).await? == 1)
        };
        self.0.run(write(Scope::System), take).await
    }

    async fn resign(&self, node: u128) -> Result<()> {
        let give = async |mut link: Link<'_>| {
            let give = Sql::new("DELETE FROM leases WHERE name = 'relay' AND holder = $1");
            give.bind::<Uuid, _>(Id(node)).execute(&mut link).await?;
            Ok(())
        };
        self.0.run(write(Scope::System), give).await
    }
}

impl Changes for Postgres<Pooled> {
    async fn mark(&self) -> Result<Mark> {
        let look = async |mut link: Link<'_>| {
            let floor: Floor = Sql::new(FLOOR).get_result(&mut link).await?;
            let known: Vec<(i64, i64)> = events::table
                .filter(events::transaction.ge(floor.floor))
                .select((events::sequence, events::transaction))
                .load(&mut link)
                .await?;
            Ok((floor.floor, known))
        };
        let (floor, known) = self.0.run(read(Scope::System), look).await?;
        Ok(Mark {
            floor,
            known: known.into_iter().collect(),
        })
    }

    /// The floor is a transaction: those below it had ended when it was read, and what they appended
    /// was seen. Of those from it on, what was seen is known by its place.
    async fn since(&self, mark: Mark, kinds: &[&str], limit: u32) -> Result<Piece> {
        let look = async |mut link: Link<'_>| {
            // Asked first: what ended before is seen by the second.
            let floor: Floor = Sql::new(FLOOR).get_result(&mut link).await?;
            let known: Vec<i64> = mark.known.keys().copied().collect();
            let rows: Vec<(i64, EventRow)> = events::table
                .filter(events::transaction.ge(mark.floor))
                .filter(events::sequence.ne_all(known))
                .filter(events::aggregate_kind.eq_any(kinds))
                .order((events::transaction, events::sequence))
                .limit(limit.into())
                .select((events::transaction, EventRow::as_select()))
                .load(&mut link)
                .await?;
            Ok((floor.floor, rows))
        };
        let (floor, rows) = self.0.run(read(Scope::System), look).await?;
        Ok(piece(mark, floor, rows, limit))
    }
}

impl History for Postgres<Pooled> {
    async fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>> {
        let look = async |mut link: Link<'_>| {
            let rows: Vec<EventRow> = events::table
                .filter(events::aggregate_id.eq(Id(aggregate.1)))
                .filter(events::aggregate_kind.eq(aggregate.0))
                .filter(events::organization_id.eq(Id(organization)))
                .filter(events::sequence.gt(after))
                .order(events::sequence)
                .limit(limit.into())
                .select(EventRow::as_select())
                .load(&mut link)
                .await?;
            Ok(rows)
        };
        let rows = self.0.run(read(Scope::Tenant(organization)), look).await?;
        Ok(rows.into_iter().map(EventRow::into).collect())
    }
}
