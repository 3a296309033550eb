//! The chains of the event log: where they end, and how they go on.

use archesai_platform::{
    Error, Result,
    chains::{Chain, Extension, Link, Place, Step},
};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Binary, Nullable, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    errand::{self, Link as Lent, Task},
    lend::{Lend as _, Pooled, Postgres},
    schema::chains,
    session::Scope,
    sql::Sql,
    task::TaskResult,
    types::{Digest, Id, Time},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = chains)]
pub(super) struct ChainRow {
    organization_id: Id,
    base_position: i64,
    base_mac: Digest,
    position: i64,
    mac: Digest,
    begins_at: Option<Time>,
    seal: Digest,
}

impl From<ChainRow> for Chain {
    fn from(row: ChainRow) -> Self {
        Self {
            organization: row.organization_id.0,
            base: Place {
                position: row.base_position,
                mac: row.base_mac.0,
            },
            head: Place {
                position: row.position,
                mac: row.mac.0,
            },
            begins_at: row.begins_at.map(|time| time.0),
            seal: row.seal.0,
        }
    }
}

/// Locks chains in one order: those who take several at once do not wait for each other in a circle.
const LOCK: &str = "SELECT FROM chains WHERE organization_id = ANY ($1) \
    ORDER BY organization_id FOR UPDATE";

/// Begins chains that there are none of yet.
const BEGIN: &str = "INSERT INTO chains \
        (organization_id, base_position, base_mac, position, mac, begins_at, seal) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";

/// Lets chains go on that are as they were.
const GO_ON: &str = "UPDATE chains AS c SET base_position = n.base_position, \
        base_mac = n.base_mac, position = n.position, mac = n.mac, begins_at = n.begins_at, \
        seal = n.seal \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS n (organization_id, base_position, \
        base_mac, position, mac, begins_at, seal, old_mac, old_seal) \
    WHERE c.organization_id = n.organization_id AND c.mac = n.old_mac AND c.seal = n.old_seal";

/// Marks events as published, in their places. The places in the log are named twice, so that the
/// events are looked up by them, however many others are not published.
const MARK: &str = "UPDATE events AS e SET published_at = now(), position = l.position, \
        mac = l.mac \
    FROM unnest($1, $2, $3) AS l (sequence, position, mac) \
    WHERE e.sequence = ANY ($1) AND e.sequence = l.sequence AND e.published_at IS NULL";

/// A statement with what chains are to be as its first values.
fn with_chains(text: &str, chains: &[&Chain]) -> Sql {
    let base = |chain: &&Chain| chain.base;
    let head = |chain: &&Chain| chain.head;
    let of = || chains.iter();
    let ids = of().map(|chain| Id(chain.organization));
    let begun = of().map(|chain| chain.begins_at.map(Time));
    Sql::new(text)
        .bind::<Array<Uuid>, Vec<_>>(ids.collect())
        .bind::<Array<BigInt>, Vec<_>>(of().map(|c| base(c).position).collect())
        .bind::<Array<Binary>, Vec<_>>(of().map(|c| Digest(base(c).mac)).collect())
        .bind::<Array<BigInt>, Vec<_>>(of().map(|c| head(c).position).collect())
        .bind::<Array<Binary>, Vec<_>>(of().map(|c| Digest(head(c).mac)).collect())
        .bind::<Array<Nullable<Timestamptz>>, Vec<_>>(begun.collect())
        .bind::<Array<Binary>, Vec<_>>(of().map(|c| Digest(c.seal)).collect())
}

/// Lets chains go on. Answers whether all were as the steps say.
pub(super) async fn take(mut link: &AsyncPgConnection, steps: &[Step]) -> QueryResult<bool> {
    let ids: Vec<Id> = steps
        .iter()
        .map(|step| Id(step.becomes.organization))
        .collect();
    let lock = Sql::new(LOCK).bind::<Array<Uuid>, _>(ids);
    lock.execute(&mut link).await?;
    let firsts = steps.iter().filter(|step| step.was.is_none());
    let firsts: Vec<&Chain> = firsts.map(|step| &step.becomes).collect();
    let begin = with_chains(BEGIN, &firsts);
    let begun = if firsts.is_empty() {
        0
    } else {
        begin.execute(&mut link).await?
    };
    let others = steps
        .iter()
        .filter_map(|step| Some((step.was.as_ref()?, &step.becomes)));
    let (old, new): (Vec<&Chain>, Vec<&Chain>) = others.unzip();
    let go_on = with_chains(GO_ON, &new)
        .bind::<Array<Binary>, Vec<_>>(old.iter().map(|c| Digest(c.head.mac)).collect())
        .bind::<Array<Binary>, Vec<_>>(old.iter().map(|c| Digest(c.seal)).collect());
    let gone_on = if new.is_empty() {
        0
    } else {
        go_on.execute(&mut link).await?
    };
    Ok(begun + gone_on == steps.len())
}

/// Marks events as published, in their places. Answers whether none was yet.
async fn mark(mut link: &AsyncPgConnection, links: &[Link]) -> QueryResult<bool> {
    let positions = links.iter().map(|link| link.place.position);
    let macs = links.iter().map(|link| Digest(link.place.mac));
    let mark = Sql::new(MARK)
        .bind::<Array<BigInt>, Vec<_>>(links.iter().map(|link| link.sequence).collect())
        .bind::<Array<BigInt>, Vec<_>>(positions.collect())
        .bind::<Array<Binary>, Vec<_>>(macs.collect());
    Ok(mark.execute(&mut link).await? == links.len())
}

impl Postgres<Pooled> {
    pub(super) async fn extend_chains(&self, extension: &Extension) -> Result<bool> {
        let extend = async |link: Lent<'_>| -> TaskResult<bool, Error> {
            Ok(take(link, &extension.steps).await? && mark(link, &extension.links).await?)
        };
        self.if_true(extend).await
    }

    /// Does something in a transaction that takes effect if it answers `true`.
    pub(super) async fn if_true(&self, task: impl Task<bool, Error>) -> Result<bool> {
        let open = self.begin_for::<Error>(Scope::System).await?;
        let is_true = open.0.run(errand::together(Scope::System), task).await?;
        if is_true {
            open.commit_now::<Error>().await?;
        }
        Ok(is_true)
    }
}
