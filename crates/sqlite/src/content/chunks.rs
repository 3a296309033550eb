//! Passages and their embeddings.

use std::{collections::BTreeSet, time::SystemTime};

use archesai_content::{
    ArtifactId, Chunk, ChunkId, Error, IndexStatus, ModelInfo, OrganizationId,
    ports::{Claim, NewIndex, UnembeddedChunk},
};
use diesel::{
    connection::DefaultLoadingMode,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary},
    sqlite::SqliteConnection,
};

use super::{
    models,
    task::TaskResult,
    vectors::{self, Sum},
};
use crate::{
    schema::{artifacts, chunk_embeddings, chunks},
    types::{Id, Time, signed},
};

/// A passage of an organization.
macro_rules! one {
    ($organization:expr, $id:expr) => {
        chunks::table
            .filter(chunks::id.eq(Id($id.0)))
            .filter(chunks::organization_id.eq(Id($organization.0)))
    };
}

pub(super) fn replace(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
    index: &NewIndex,
) -> TaskResult<bool> {
    if !finish_claim(connection, organization, id, index)? {
        return Ok(false);
    }
    diesel::delete(chunks::table.filter(chunks::artifact_id.eq(Id(id.0)))).execute(connection)?;
    let model = match &index.model {
        Some(model) => Some(models::ensure(connection, model)?),
        None => None,
    };
    for chunk in &index.chunks {
        insert(connection, organization, id, chunk, model)?;
    }
    if let Some(model) = model {
        describe(connection, Id(id.0), model)?;
    }
    Ok(true)
}

/// Makes an artifact indexed, unless it is claimed by somebody else.
fn finish_claim(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
    index: &NewIndex,
) -> TaskResult<bool> {
    let count = i64::try_from(index.chunks.len()).map_err(Error::unavailable)?;
    let mut target = artifacts::table
        .into_boxed()
        .filter(artifacts::id.eq(Id(id.0)))
        .filter(artifacts::organization_id.eq(Id(organization.0)));
    if let Some(fence) = index.fence {
        target = target
            .filter(artifacts::index_fence.eq(signed(fence)))
            .filter(artifacts::index_due.is_not_null());
    }
    let found: Option<Id> = target.select(artifacts::id).first(connection).optional()?;
    if found.is_none() {
        return Ok(false);
    }
    diesel::update(artifacts::table.find(Id(id.0)))
        .set((
            artifacts::index_status.eq(index.status().as_str()),
            artifacts::index_error.eq(None::<String>),
            artifacts::index_due.eq(None::<Time>),
            artifacts::index_fence.eq(artifacts::index_fence + 1),
            artifacts::chunk_count.eq(count),
            index.text.as_ref().map(|text| artifacts::content.eq(text)),
            artifacts::embedding.eq(None::<Vec<u8>>),
        ))
        .execute(connection)?;
    Ok(true)
}

fn insert(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    artifact: ArtifactId,
    chunk: &Chunk,
    model: Option<i64>,
) -> TaskResult<()> {
    let embedded = chunk.embedding.as_ref().zip(model);
    let sequence: i64 = diesel::insert_into(chunks::table)
        .values((
            chunks::id.eq(Id(chunk.id.0)),
            chunks::organization_id.eq(Id(organization.0)),
            chunks::artifact_id.eq(Id(artifact.0)),
            chunks::position.eq(i64::from(chunk.position)),
            chunks::start_offset.eq(signed(chunk.start)),
            chunks::end_offset.eq(signed(chunk.end)),
            chunks::embedding_model.eq(embedded.map(|(_, model)| model)),
            chunks::text.eq(&chunk.text),
        ))
        .returning(chunks::sequence)
        .get_result(connection)?;
    if let Some((vector, model)) = embedded {
        diesel::insert_into(chunk_embeddings::table)
            .values((
                chunk_embeddings::chunk.eq(sequence),
                chunk_embeddings::id.eq(Id(chunk.id.0)),
                chunk_embeddings::organization_id.eq(Id(organization.0)),
                chunk_embeddings::artifact_id.eq(Id(artifact.0)),
                chunk_embeddings::model.eq(model),
                chunk_embeddings::code.eq(vectors::code(vector)),
                chunk_embeddings::vector.eq(vectors::to_bytes(vector)),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Writes the mean direction of an artifact's passages once none waits for one.
/// Answers whether each has one.
fn describe(connection: &mut SqliteConnection, artifact: Id, model: i64) -> TaskResult<bool> {
    let passages = chunks::table.filter(chunks::artifact_id.eq(artifact));
    // They are embedded in their order, so the last one tells soonest.
    let waiting: Option<i64> = passages
        .filter(chunks::embedding_model.is_not(model))
        .order(chunks::position.desc())
        .select(chunks::sequence)
        .first(connection)
        .optional()?;
    if waiting.is_some() {
        return Ok(false);
    }
    let kept = chunk_embeddings::table
        .filter(chunk_embeddings::chunk.eq_any(passages.select(chunks::sequence)))
        .select(chunk_embeddings::vector)
        .load_iter::<Vec<u8>, DefaultLoadingMode>(connection)?;
    let mut sum = Sum::default();
    for vector in kept {
        sum.add(&vector?);
    }
    diesel::update(artifacts::table.find(artifact))
        .set(artifacts::embedding.eq(sum.direction()))
        .execute(connection)?;
    let all: i64 = passages.count().get_result(connection)?;
    Ok(u64::try_from(all).is_ok_and(|all| all == sum.count))
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = BigInt)]
    embed_attempts: i64,
}

/// Passages without an embedding of a model that may be claimed: some that
/// nobody ever held, or else one that somebody did.
pub(super) fn unembedded(
    connection: &mut SqliteConnection,
    model: &ModelInfo,
    claim: Claim,
) -> TaskResult<Vec<i64>> {
    let limit = claim.limit as usize;
    let mut found = Vec::new();
    let others = models::others(connection, model)?;
    // One query per model, so that each is a walk along the index.
    for other in std::iter::once(None).chain(others.into_iter().map(Some)) {
        if found.len() == limit {
            break;
        }
        let rows: Vec<Waiting> = sql_query(
            "SELECT sequence, embed_attempts FROM chunks \
             WHERE embedding_model IS ? AND embed_due <= ? ORDER BY embed_due LIMIT ?",
        )
        .bind::<diesel::sql_types::Nullable<BigInt>, _>(other)
        .bind::<BigInt, _>(Time(claim.now))
        .bind::<BigInt, _>(i64::try_from(limit - found.len()).map_err(Error::unavailable)?)
        .load(connection)?;
        for row in rows {
            if row.embed_attempts > 0 {
                if found.is_empty() {
                    found.push(row.sequence);
                }
                return Ok(found);
            }
            found.push(row.sequence);
        }
    }
    Ok(found)
}

pub(super) fn claim_unembedded(
    connection: &mut SqliteConnection,
    model: &ModelInfo,
    claim: Claim,
) -> TaskResult<Vec<UnembeddedChunk>> {
    let mut claimed = Vec::new();
    for sequence in unembedded(connection, model, claim)? {
        let (organization, id, attempts, text): (Id, Id, i64, String) =
            diesel::update(chunks::table.find(sequence))
                .set((
                    chunks::embed_due.eq(Time(claim.until)),
                    chunks::embed_attempts.eq(chunks::embed_attempts + 1),
                ))
                .returning((
                    chunks::organization_id,
                    chunks::id,
                    chunks::embed_attempts,
                    chunks::text,
                ))
                .get_result(connection)?;
        claimed.push(UnembeddedChunk {
            organization_id: OrganizationId(organization.0),
            id: ChunkId(id.0),
            text,
            attempts: u32::try_from(attempts).map_err(Error::unavailable)?,
        });
    }
    Ok(claimed)
}

pub(super) fn release_unembedded(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    passages: &[ChunkId],
    due: SystemTime,
) -> TaskResult<()> {
    for id in passages {
        diesel::update(one!(organization, id).filter(chunks::embed_attempts.gt(0)))
            .set((
                chunks::embed_due.eq(Time(due)),
                chunks::embed_attempts.eq(chunks::embed_attempts - 1),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn store_embeddings(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    model: &ModelInfo,
    embeddings: &[(ChunkId, Vec<f32>)],
) -> TaskResult<Vec<ArtifactId>> {
    let model = models::ensure(connection, model)?;
    let mut touched = BTreeSet::new();
    for (id, vector) in embeddings {
        if let Some(artifact) = settle(connection, organization, *id, model)? {
            put_vector(connection, *id, model, vector)?;
            touched.insert(artifact.0);
        }
    }
    let mut recovered = Vec::new();
    for artifact in touched {
        if describe(connection, Id(artifact), model)? && complete(connection, Id(artifact))? {
            recovered.push(ArtifactId(artifact));
        }
    }
    Ok(recovered)
}

pub(super) fn refuse_embedding(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    model: &ModelInfo,
    passage: ChunkId,
    error: &str,
) -> TaskResult<Option<ArtifactId>> {
    let model = models::ensure(connection, model)?;
    let Some(artifact) = settle(connection, organization, passage, model)? else {
        return Ok(None);
    };
    diesel::delete(chunk_embeddings::table.filter(chunk_embeddings::id.eq(Id(passage.0))))
        .execute(connection)?;
    diesel::update(artifacts::table.find(artifact))
        .set((
            artifacts::index_status.eq(IndexStatus::Failed.as_str()),
            artifacts::index_error.eq(error),
        ))
        .execute(connection)?;
    Ok(Some(ArtifactId(artifact.0)))
}

/// Ends the wait of a passage for a model, and answers whose it is.
fn settle(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    passage: ChunkId,
    model: i64,
) -> TaskResult<Option<Id>> {
    let artifact = diesel::update(one!(organization, passage))
        .set((
            chunks::embedding_model.eq(model),
            chunks::embed_due.eq(0),
            chunks::embed_attempts.eq(0),
        ))
        .returning(chunks::artifact_id)
        .get_result(connection)
        .optional()?;
    Ok(artifact)
}

/// Makes an artifact indexed that was being embedded or had failed. Answers whether it was.
fn complete(connection: &mut SqliteConnection, artifact: Id) -> TaskResult<bool> {
    let incomplete = [IndexStatus::Embedding, IndexStatus::Failed].map(IndexStatus::as_str);
    let incomplete = artifacts::index_status.eq_any(incomplete);
    let completed = diesel::update(artifacts::table.find(artifact).filter(incomplete))
        .set((
            artifacts::index_status.eq(IndexStatus::Indexed.as_str()),
            artifacts::index_error.eq(None::<String>),
        ))
        .execute(connection)?;
    Ok(completed == 1)
}

pub(super) fn delete_some(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    artifact: ArtifactId,
    limit: u32,
) -> TaskResult<u32> {
    let deleted = sql_query(
        "DELETE FROM chunks WHERE sequence IN ( \
           SELECT sequence FROM chunks WHERE artifact_id = ? AND organization_id = ? LIMIT ?)",
    )
    .bind::<Binary, _>(Id(artifact.0))
    .bind::<Binary, _>(Id(organization.0))
    .bind::<BigInt, _>(i64::from(limit))
    .execute(connection)?;
    Ok(u32::try_from(deleted).map_err(Error::unavailable)?)
}

/// Gives a passage a vector, in place of an earlier one.
fn put_vector(
    connection: &mut SqliteConnection,
    id: ChunkId,
    model: i64,
    vector: &[f32],
) -> TaskResult<()> {
    sql_query(
        "INSERT INTO chunk_embeddings \
           (chunk, id, organization_id, artifact_id, model, code, vector) \
         SELECT sequence, id, organization_id, artifact_id, ?, ?, ? FROM chunks WHERE id = ? \
         ON CONFLICT (chunk) DO UPDATE \
         SET model = excluded.model, code = excluded.code, vector = excluded.vector",
    )
    .bind::<BigInt, _>(model)
    .bind::<Binary, _>(vectors::code(vector))
    .bind::<Binary, _>(vectors::to_bytes(vector))
    .bind::<Binary, _>(Id(id.0))
    .execute(connection)?;
    Ok(())
}
