//! Idempotency keys.

use std::time::{Duration, SystemTime};

use archesai_platform::{
    Result,
    idempotency::{Claim, IdempotencyKeys, RequestKey},
};
use diesel::{
    prelude::*,
    sql_types::{Binary, Nullable, Timestamptz},
};
use diesel_async::RunQueryDsl;

use crate::{
    errand::{Link, write},
    lend::{Lend, Pooled, Postgres},
    schema::idempotency_keys::{self, answer, claimed_at, key},
    session::Scope,
    sql::{Prepared, Sql},
    types::{Digest, Time},
};

/// Claims the request `$1` that asks for `$2` from `$3` until `$4`, if it is new, or if it asks for
/// the same and whoever claimed it is no longer heard of. Shows what is known of it otherwise.
const CLAIM: &str = "WITH claimed AS ( \
        INSERT INTO idempotency_keys AS k (key, fingerprint, claimed_at, leased_until) \
        VALUES ($1, $2, $3, $4) \
        ON CONFLICT (key) DO UPDATE \
            SET claimed_at = excluded.claimed_at, leased_until = excluded.leased_until \
            WHERE k.fingerprint = excluded.fingerprint AND k.answer IS NULL \
                AND k.leased_until <= excluded.claimed_at \
        RETURNING fingerprint) \
    SELECT fingerprint, true AS is_ours, NULL AS kept FROM claimed \
    UNION ALL SELECT fingerprint, false, answer FROM idempotency_keys \
    WHERE key = $1 AND NOT EXISTS (SELECT FROM claimed)";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Binary)]
    fingerprint: Digest,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    is_ours: bool,
    #[diesel(sql_type = Nullable<Binary>)]
    kept: Option<Vec<u8>>,
}

impl IdempotencyKeys for Postgres<Pooled> {
    async fn claim(
        &self,
        request: &RequestKey,
        asked: &[u8; 32],
        now: SystemTime,
        lease: Duration,
    ) -> Result<Claim> {
        let claim = async |mut link: Link<'_>| {
            let claim = Sql::new(CLAIM)
                .bind::<Binary, _>(Digest(*request))
                .bind::<Binary, _>(Digest(*asked))
                .bind::<Timestamptz, _>(Time(now))
                .bind::<Timestamptz, _>(Time(now + lease));
            Ok(claim.get_result(&mut link).await.optional()?)
        };
        let found: Option<Found> = self.0.run(write(Scope::Nobody), claim).await?;
        Ok(match found {
            Some(found) if found.is_ours => Claim::Ours,
            Some(found) if found.fingerprint.0 != *asked => Claim::Different,
            Some(Found {
                kept: Some(kept), ..
            }) => Claim::Done(kept),
            // Somebody else's claim that is not committed yet is not seen, only met.
            _ => Claim::InProgress,
        })
    }

    async fn finish(&self, request: &RequestKey, claimed: SystemTime, sealed: &[u8]) -> Result<()> {
        let finish = async |mut link: Link<'_>| {
            let held = idempotency_keys::table
                .find(Digest(*request))
                .filter(claimed_at.eq(Time(claimed)));
            let finish = Prepared(diesel::update(held).set(answer.eq(sealed)));
            finish.execute(&mut link).await?;
            Ok(())
        };
        self.0.run(write(Scope::Nobody), finish).await
    }

    async fn release(&self, request: &RequestKey, claimed: SystemTime) -> Result<()> {
        let release = async |mut link: Link<'_>| {
            let held = idempotency_keys::table
                .filter(key.eq(Digest(*request)))
                .filter(claimed_at.eq(Time(claimed)))
                .filter(answer.is_null());
            diesel::delete(held).execute(&mut link).await?;
            Ok(())
        };
        self.0.run(write(Scope::Nobody), release).await
    }

    async fn sweep(&self, before: SystemTime) -> Result<u64> {
        let sweep = async |mut link: Link<'_>| {
            let old = idempotency_keys::table.filter(claimed_at.lt(Time(before)));
            Ok(diesel::delete(old).execute(&mut link).await?)
        };
        let swept: usize = self.0.run(write(Scope::Nobody).at_length(), sweep).await?;
        Ok(u64::try_from(swept).unwrap_or(u64::MAX))
    }
}
