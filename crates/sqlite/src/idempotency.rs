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
    schema::idempotency_keys::{self, answer, claimed_at, fingerprint, key, leased_until},
    types::{Digest, Time},
};

impl IdempotencyKeys for Sqlite<Pooled> {
    async fn claim(
        &self,
        request: &RequestKey,
        asked: &[u8; 32],
        now: SystemTime,
        lease: Duration,
    ) -> Result<Claim> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let held = (claimed_at.eq(Time(now)), leased_until.eq(Time(now + lease)));
        let claimed = diesel::insert_into(idempotency_keys::table)
            .values((
                key.eq(Digest(*request)),
                fingerprint.eq(Digest(*asked)),
                held,
            ))
            .on_conflict_do_nothing()
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        if claimed == 1 {
            return Ok(Claim::Ours);
        }
        let (first, kept): (Digest, Option<Vec<u8>>) = idempotency_keys::table
            .find(Digest(*request))
            .select((fingerprint, answer))
            .get_result(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        match kept {
            _ if first.0 != *asked => return Ok(Claim::Different),
            Some(kept) => return Ok(Claim::Done(kept)),
            None => {}
        }
        let lapsed = idempotency_keys::table
            .find(Digest(*request))
            .filter(leased_until.le(Time(now)));
        let taken_over = diesel::update(lapsed)
            .set(held)
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(if taken_over == 1 {
            Claim::Ours
        } else {
            Claim::InProgress
        })
    }

    async fn finish(&self, request: &RequestKey, claimed: SystemTime, sealed: &[u8]) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let held = idempotency_keys::table
            .find(Digest(*request))
            .filter(claimed_at.eq(Time(claimed)));
        diesel::update(held)
            .set(answer.eq(sealed))
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(())
    }

    async fn release(&self, request: &RequestKey, claimed: SystemTime) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let held = idempotency_keys::table
            .find(Digest(*request))
            .filter(claimed_at.eq(Time(claimed)))
            .filter(answer.is_null());
        diesel::delete(held)
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(())
    }

    async fn sweep(&self, before: SystemTime) -> Result<u64> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let swept = diesel::delete(idempotency_keys::table.filter(claimed_at.lt(Time(before))))
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(u64::try_from(swept).unwrap_or(0))
    }
}
