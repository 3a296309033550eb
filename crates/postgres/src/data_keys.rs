//! The keys that seal.

use archesai_platform::{
    Result,
    data_keys::{DataKey, DataKeys},
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::{
    errand::{Link, read, together},
    lend::{Lend as _, Pooled, Postgres},
    schema::data_keys::{created_at, id, table, wrapped},
    session::Scope,
    sql::Sql,
    types::{Count, Time},
};

impl DataKeys for Postgres<Pooled> {
    async fn list(&self) -> Result<Vec<DataKey>> {
        let list = async |link: Link<'_>| Ok(load(link).await?);
        self.0.run(read(Scope::Nobody), list).await
    }

    async fn change(&self, listed: &[DataKey], then: &[DataKey]) -> Result<bool> {
        let change = async |mut link: Link<'_>| {
            // One after the other: each sees what those before it did.
            let lock = Sql::new("LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE");
            lock.execute(&mut link).await?;
            if load(link).await? != listed {
                return Ok(false);
            }
            for key in then {
                put(link, key).await?;
            }
            Ok(true)
        };
        self.0.run(together(Scope::Nobody), change).await
    }
}

async fn load(mut link: Link<'_>) -> QueryResult<Vec<DataKey>> {
    let rows: Vec<(Count<u32>, Vec<u8>, Time)> = table.order(id).load(&mut link).await?;
    let key = |(number, key, made): (Count<u32>, Vec<u8>, Time)| DataKey {
        id: number.0,
        wrapped: key,
        created_at: made.0,
    };
    Ok(rows.into_iter().map(key).collect())
}

async fn put(mut link: Link<'_>, key: &DataKey) -> QueryResult<()> {
    diesel::insert_into(table)
        .values((
            id.eq(Count(key.id)),
            wrapped.eq(&key.wrapped),
            created_at.eq(Time(key.created_at)),
        ))
        .on_conflict(id)
        .do_update()
        .set(wrapped.eq(&key.wrapped))
        .execute(&mut link)
        .await?;
    Ok(())
}
