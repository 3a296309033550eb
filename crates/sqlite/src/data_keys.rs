//! The keys that seal.

use archesai_platform::{
    Error, Result,
    data_keys::{DataKey, DataKeys},
};
use diesel::{prelude::*, sqlite::SqliteConnection};

use crate::{
    lend::{Access, Failure, Lend as _, Pooled, Sqlite},
    schema::data_keys::{created_at, id, table, wrapped},
    types::Time,
};

impl DataKeys for Sqlite<Pooled> {
    async fn list(&self) -> Result<Vec<DataKey>> {
        let listed = self.0.run(Access::Read, load).await;
        listed.and_then(|keys| keys).map_err(Error::unavailable)
    }

    async fn change(&self, listed: &[DataKey], then: &[DataKey]) -> Result<bool> {
        let changed = self.change_now(listed.to_vec(), then.to_vec()).await;
        changed.map_err(Error::unavailable)
    }
}

impl Sqlite<Pooled> {
    async fn change_now(&self, listed: Vec<DataKey>, then: Vec<DataKey>) -> Result<bool, Failure> {
        let transaction = self.0.0.begin().await?;
        let change = move |connection: &mut SqliteConnection| -> Result<bool, Failure> {
            if load(connection)? != listed {
                return Ok(false);
            }
            for key in &then {
                put(connection, key)?;
            }
            Ok(true)
        };
        let is_done = transaction.0.run(Access::Write, change).await??;
        transaction.commit_now().await?;
        Ok(is_done)
    }
}

fn load(connection: &mut SqliteConnection) -> Result<Vec<DataKey>, Failure> {
    let rows: Vec<(i64, Vec<u8>, Time)> = table.order(id).load(connection)?;
    let key = |(number, key, made): (i64, Vec<u8>, Time)| {
        Ok(DataKey {
            id: u32::try_from(number)?,
            wrapped: key,
            created_at: made.0,
        })
    };
    rows.into_iter().map(key).collect()
}

fn put(connection: &mut SqliteConnection, key: &DataKey) -> QueryResult<()> {
    diesel::insert_into(table)
        .values((
            id.eq(i64::from(key.id)),
            wrapped.eq(&key.wrapped),
            created_at.eq(Time(key.created_at)),
        ))
        .on_conflict(id)
        .do_update()
        .set(wrapped.eq(&key.wrapped))
        .execute(connection)?;
    Ok(())
}
