//! The embeddings of passages, and the queue of passages that wait for one.
//!
//! Whoever writes embeddings locks the artifacts first, since whether all passages of one are done
//! is for one at a time to say.

use std::time::SystemTime;

use archesai_content::{
    ArtifactId, ChunkId, ModelInfo, OrganizationId,
    ports::{Claim, UnembeddedChunk},
};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Bool, Float, Integer, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;
use futures_util::FutureExt as _;

use super::{TaskResult, models, vectors::padded};
use crate::{
    errand::Link,
    pipeline::all_of,
    sql::Sql,
    types::{Count, Id, Time, storable},
};

/// Gives a passage a vector, in place of an earlier one.
const PUT: &str = "INSERT INTO chunk_embeddings (chunk, id, organization_id, artifact_id, model, \
        vector) \
    SELECT sequence, id, organization_id, artifact_id, $3, $4::halfvec FROM chunks \
    WHERE id = $1 AND organization_id = $2 \
    ON CONFLICT (chunk) DO UPDATE SET model = excluded.model, vector = excluded.vector";

pub(super) fn put(
    organization: OrganizationId,
    passage: ChunkId,
    model: i64,
    vector: &[f32],
) -> Sql {
    Sql::new(PUT)
        .bind::<Uuid, _>(Id(passage.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<BigInt, _>(model)
        .bind::<Array<Float>, _>(padded(vector))
}

/// Claims passages that may be: of those that are due, in order, the ones before the first that was
/// claimed before, or that one alone.
macro_rules! claim {
    ($waiting:literal, $order:literal) => {
        concat!(
            "WITH waiting AS MATERIALIZED ( \
                 SELECT c.sequence, c.embed_attempts, c.embed_due FROM chunks AS c \
                 WHERE c.embed_due <= $2 AND ",
            $waiting,
            " ORDER BY ",
            $order,
            " LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED), \
             placed AS ( \
                 SELECT sequence, embed_attempts > 0 AS is_again, \
                     row_number() OVER (ORDER BY embed_due, sequence) AS place FROM waiting), \
             chosen AS ( \
                 SELECT sequence FROM placed WHERE place = 1 OR place < coalesce( \
                     (SELECT min(place) FROM placed WHERE is_again), $3 + 1)) \
             UPDATE chunks AS c SET embed_due = $1, embed_attempts = c.embed_attempts + 1 \
             FROM chosen WHERE c.sequence = chosen.sequence \
             RETURNING c.organization_id, c.id, c.text, c.embed_attempts"
        )
    };
}

const CLAIM_NEW: &str = claim!(
    "c.embedding_model IS NULL",
    "c.embedding_model, c.embed_due, c.sequence"
);

const CLAIM_OTHERS: &str = claim!(
    "c.embedding_model IN (SELECT id FROM embedding_models WHERE (name, dimensions) <> ($4, $5))",
    "c.embed_due, c.sequence"
);

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = Uuid)]
    organization_id: Id,
    #[diesel(sql_type = Uuid)]
    id: Id,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Integer)]
    embed_attempts: Count<u32>,
}

pub(super) async fn claim(
    mut link: Link<'_>,
    model: &ModelInfo,
    claim: Claim,
) -> TaskResult<Vec<UnembeddedChunk>> {
    let of = |sql: &str| {
        Sql::new(sql)
            .bind::<Timestamptz, _>(Time(claim.until))
            .bind::<Timestamptz, _>(Time(claim.now))
            .bind::<BigInt, _>(i64::from(claim.limit))
    };
    let mut claimed: Vec<Claimed> = of(CLAIM_NEW).load(&mut link).await?;
    if claimed.is_empty() {
        claimed = of(CLAIM_OTHERS)
            .bind::<Text, _>(model.name.clone())
            .bind::<Integer, _>(Count(model.dimensions))
            .load(&mut link)
            .await?;
    }
    let chunk = |row: Claimed| UnembeddedChunk {
        organization_id: OrganizationId(row.organization_id.0),
        id: ChunkId(row.id.0),
        text: row.text,
        attempts: row.embed_attempts.0,
    };
    Ok(claimed.into_iter().map(chunk).collect())
}

const RELEASE: &str = "UPDATE chunks SET embed_due = $3, embed_attempts = embed_attempts - 1 \
    WHERE id = ANY ($1) AND organization_id = $2 AND embed_attempts > 0";

pub(super) async fn release(
    mut link: Link<'_>,
    organization: OrganizationId,
    passages: &[ChunkId],
    due: SystemTime,
) -> TaskResult<()> {
    let ids: Vec<Id> = passages.iter().map(|id| Id(id.0)).collect();
    Sql::new(RELEASE)
        .bind::<Array<Uuid>, _>(ids)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Timestamptz, _>(Time(due))
        .execute(&mut link)
        .await?;
    Ok(())
}

const LOCK: &str = "SELECT id FROM artifacts WHERE id IN ( \
        SELECT artifact_id FROM chunks WHERE id = ANY ($1) AND organization_id = $2) \
    ORDER BY id FOR NO KEY UPDATE";

fn lock(organization: OrganizationId, passages: Vec<Id>) -> Sql {
    Sql::new(LOCK)
        .bind::<Array<Uuid>, _>(passages)
        .bind::<Uuid, _>(Id(organization.0))
}

/// Ends the wait of a passage for a model, and answers whose it is.
const SETTLE: &str = "UPDATE chunks SET embedding_model = $3, embed_due = 'epoch', \
        embed_attempts = 0 \
    WHERE id = $1 AND organization_id = $2 RETURNING artifact_id AS id";

fn settle(organization: OrganizationId, passage: ChunkId, model: i64) -> Sql {
    Sql::new(SETTLE)
        .bind::<Uuid, _>(Id(passage.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<BigInt, _>(model)
}

#[derive(QueryableByName)]
struct Whose {
    #[diesel(sql_type = Uuid)]
    id: Id,
}

pub(super) async fn store(
    link: Link<'_>,
    organization: OrganizationId,
    model: &ModelInfo,
    embeddings: &[(ChunkId, Vec<f32>)],
) -> TaskResult<Vec<ArtifactId>> {
    let model = models::ensure(link, model).await?;
    let passages = embeddings.iter().map(|(id, _)| Id(id.0)).collect();
    let mut statements = vec![
        lock(organization, passages)
            .load::<Whose>(&mut &*link)
            .boxed(),
    ];
    for (id, vector) in embeddings {
        let settle = settle(organization, *id, model);
        statements.push(settle.load::<Whose>(&mut &*link).boxed());
        let put = put(organization, *id, model, vector).execute(&mut &*link);
        statements.push(put.map(|done| done.map(|_| Vec::new())).boxed());
    }
    let settled = all_of(statements).await?;
    let mut artifacts: Vec<Id> = settled
        .into_iter()
        .skip(1)
        .flatten()
        .map(|row| row.id)
        .collect();
    artifacts.sort_unstable();
    artifacts.dedup();
    describe(link, artifacts, model).await
}

/// Writes the mean direction of the passages of artifacts of which none waits for an embedding. One
/// that was being embedded or had failed becomes indexed if each of its passages has one; answers these. Passages are
/// embedded in their order, so the last one tells soonest whether one waits.
const DESCRIBE: &str = "WITH done AS ( \
        SELECT a.id, a.index_status IN ('embedding', 'failed') AND ( \
                SELECT count(*) FROM chunks AS c WHERE c.artifact_id = a.id) = m.used AS recovers, \
            m.mean \
        FROM artifacts AS a, LATERAL ( \
            SELECT count(*) AS used, avg(e.vector) AS mean FROM chunk_embeddings AS e \
            WHERE e.organization_id = a.organization_id AND e.model = $2 \
                AND e.artifact_id = a.id) AS m \
        WHERE a.id = ANY ($1) AND ( \
            SELECT c.sequence FROM chunks AS c \
            WHERE c.artifact_id = a.id AND c.embedding_model IS DISTINCT FROM $2 \
            ORDER BY c.position DESC LIMIT 1) IS NULL) \
    UPDATE artifacts AS a SET \
        embedding = CASE WHEN l2_norm(done.mean) > 0 THEN l2_normalize(done.mean) END, \
        index_status = CASE WHEN done.recovers THEN 'indexed' ELSE a.index_status END, \
        index_error = CASE WHEN done.recovers THEN NULL ELSE a.index_error END \
    FROM done WHERE a.id = done.id RETURNING a.id, done.recovers";

#[derive(QueryableByName)]
struct Described {
    #[diesel(sql_type = Uuid)]
    id: Id,
    #[diesel(sql_type = Bool)]
    recovers: bool,
}

pub(super) async fn describe(
    mut link: Link<'_>,
    artifacts: Vec<Id>,
    model: i64,
) -> TaskResult<Vec<ArtifactId>> {
    let described: Vec<Described> = Sql::new(DESCRIBE)
        .bind::<Array<Uuid>, _>(artifacts)
        .bind::<BigInt, _>(model)
        .load(&mut link)
        .await?;
    let recovered = described.into_iter().filter(|row| row.recovers);
    Ok(recovered.map(|row| ArtifactId(row.id.0)).collect())
}

const TAKE_AWAY: &str = "DELETE FROM chunk_embeddings WHERE id = $1 AND organization_id = $2 \
    AND chunk = (SELECT sequence FROM chunks WHERE id = $1)";

const FAIL: &str = "UPDATE artifacts SET index_status = 'failed', index_error = $3, \
        index_due = NULL \
    WHERE id = (SELECT artifact_id FROM chunks WHERE id = $1 AND organization_id = $2) \
    RETURNING id";

pub(super) async fn refuse(
    link: Link<'_>,
    organization: OrganizationId,
    model: &ModelInfo,
    passage: ChunkId,
    error: &str,
) -> TaskResult<Option<ArtifactId>> {
    let model = models::ensure(link, model).await?;
    let of = |sql: &str| {
        Sql::new(sql)
            .bind::<Uuid, _>(Id(passage.0))
            .bind::<Uuid, _>(Id(organization.0))
    };
    let fail = of(FAIL).bind::<Text, _>(storable(error).into_owned());
    let statements = [
        lock(organization, vec![Id(passage.0)]),
        settle(organization, passage, model),
        of(TAKE_AWAY).push(" RETURNING id"),
        fail,
    ];
    let load = |sql: Sql| sql.load::<Whose>(&mut &*link).boxed();
    let mut answers = all_of(statements.into_iter().map(load).collect()).await?;
    let failed = answers.pop().and_then(|mut rows| rows.pop());
    Ok(failed.map(|row| ArtifactId(row.id.0)))
}
