//! The chains of the event log: where they end, and how they go on.

use archesai_platform::{
    Error, Result,
    chains::{Chain, Extension, Link, Place, Step},
};
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Nullable},
    sqlite::SqliteConnection,
};

use super::NOW;
use crate::{
    lend::{Pooled, Sqlite},
    schema::{chains, events},
    task::writing,
    types::{Digest, Id, Time},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = chains, primary_key(organization_id))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
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

impl From<&Chain> for ChainRow {
    fn from(chain: &Chain) -> Self {
        Self {
            organization_id: Id(chain.organization),
            base_position: chain.base.position,
            base_mac: Digest(chain.base.mac),
            position: chain.head.position,
            mac: Digest(chain.head.mac),
            begins_at: chain.begins_at.map(Time),
            seal: Digest(chain.seal),
        }
    }
}

/// Lets a chain go on. Answers whether it was as the step says.
pub(super) fn take(connection: &mut SqliteConnection, step: &Step) -> QueryResult<bool> {
    let row = ChainRow::from(&step.becomes);
    let changed = match &step.was {
        None => diesel::insert_into(chains::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
        Some(was) => diesel::update(chains::table)
            .filter(chains::organization_id.eq(Id(was.organization)))
            .filter(chains::mac.eq(Digest(was.head.mac)))
            .filter(chains::seal.eq(Digest(was.seal)))
            .set(row)
            .execute(connection)?,
    };
    Ok(changed == 1)
}

/// Marks an event as published, in its place. Answers whether it was not yet.
fn mark(connection: &mut SqliteConnection, link: &Link) -> QueryResult<bool> {
    let marked = diesel::update(events::table)
        .filter(events::sequence.eq(link.sequence))
        .filter(events::published_at.is_null())
        .set((
            events::published_at.eq(sql::<Nullable<BigInt>>(NOW)),
            events::position.eq(link.place.position),
            events::mac.eq(Digest(link.place.mac)),
        ))
        .execute(connection)?;
    Ok(marked == 1)
}

fn extend(connection: &mut SqliteConnection, extension: &Extension) -> QueryResult<bool> {
    for step in &extension.steps {
        if !take(connection, step)? {
            return Ok(false);
        }
    }
    for link in &extension.links {
        if !mark(connection, link)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Sqlite<Pooled> {
    pub(super) async fn extend_chains(&self, extension: &Extension) -> Result<bool> {
        let extension = extension.clone();
        self.if_true(move |c| extend(c, &extension)).await
    }

    /// Does something that takes effect if it answers `true`.
    pub(super) async fn if_true(
        &self,
        task: impl FnOnce(&mut SqliteConnection) -> QueryResult<bool> + Send + 'static,
    ) -> Result<bool> {
        let open = self.0.0.begin().await.map_err(Error::unavailable)?;
        let is_true = writing(&open.0, move |c| Ok(task(c)?)).await?;
        if is_true {
            open.commit_now().await.map_err(Error::unavailable)?;
        }
        Ok(is_true)
    }
}
