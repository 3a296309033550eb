//! Idempotency keys.

use std::time::{Duration, SystemTime};

use archesai_platform::{
    Error, Result,
    idempotency::{Claim, IdempotencyKeys, RequestKey},
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::{
    lend::{Lend, Pooled, Sqlite},
    schema::idempotency_keys,
    types::{Digest, Time},
};

impl IdempotencyKeys for Sqlite<Pooled> {
    async fn claim(
        &self,
        key: &RequestKey,
        fingerprint: &[u8; 32],
        now: SystemTime,
        lease: Duration,
    ) -> Result<Claim> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        // A claim whose holder died is nobody's.
        diesel::delete(
            idempotency_keys::table
                .find(Digest(*key))
                .filter(idempotency_keys::answer.is_null())
                .filter(idempotency_keys::leased_until.le(Time(now))),
        )
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        let claimed = diesel::insert_into(idempotency_keys::table)
            .values((
                idempotency_keys::key.eq(Digest(*key)),
                idempotency_keys::fingerprint.eq(Digest(*fingerprint)),
                idempotency_keys::claimed_at.eq(Time(now)),
                idempotency_keys::leased_until.eq(Time(now + lease)),
            ))
            .on_conflict_do_nothing()
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        if claimed == 1 {
            return Ok(Claim::Ours);
        }
        let found: Option<(Digest, Option<Vec<u8>>)> = idempotency_keys::table
            .find(Digest(*key))
            .select((idempotency_keys::fingerprint, idempotency_keys::answer))
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        Ok(match found {
            Some((found, Some(answer))) => Claim::Done {
                fingerprint: found.0,
                answer,
            },
            Some((found, None)) if found.0 != *fingerprint => Claim::Different,
            _ => Claim::InProgress,
        })
    }

    async fn finish(&self, key: &RequestKey, answer: &[u8]) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        diesel::update(idempotency_keys::table.find(Digest(*key)))
            .set(idempotency_keys::answer.eq(answer.to_vec()))
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(())
    }

    async fn release(&self, key: &RequestKey) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        diesel::delete(
            idempotency_keys::table
                .find(Digest(*key))
                .filter(idempotency_keys::answer.is_null()),
        )
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        Ok(())
    }

    async fn sweep(&self, before: SystemTime) -> Result<u64> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let swept = diesel::delete(
            idempotency_keys::table.filter(idempotency_keys::claimed_at.lt(Time(before))),
        )
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        Ok(u64::try_from(swept).unwrap_or(0))
    }
}
