//! The passages of artifacts.

use archesai_content::{ArtifactId, Chunk, Error, OrganizationId, ports::NewIndex};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid};
use diesel_async::RunQueryDsl;

use super::{TaskResult, embeddings, models, words};
use crate::{
    errand::Link,
    pipeline::in_order,
    sql::Sql,
    types::{Count, Id, Word, storable},
};

/// How many passages are sent in one statement.
const BATCH: usize = 500;

/// Makes an artifact found, unless it is claimed by somebody else.
const FINISH: &str = "UPDATE artifacts SET index_status = $6, index_error = NULL, \
        index_due = NULL, index_fence = index_fence + 1, chunk_count = $3, \
        content = coalesce($4, content), embedding = NULL \
    WHERE id = $1 AND organization_id = $2 \
        AND ($5 IS NULL OR index_fence = $5 AND index_due IS NOT NULL)";

const CLEAR: &str = "DELETE FROM chunks WHERE artifact_id = $1 AND organization_id = $2";

const INSERT: &str = "INSERT INTO chunks (organization_id, artifact_id, id, position, start_offset, \
        end_offset, embedding_model, text, words) \
    SELECT $1, $2, n.id, n.position, n.start_offset, n.end_offset, n.model, n.text, \
        n.words::tsvector \
    FROM unnest($3, $4, $5, $6, $7, $8, $9) \
        AS n (id, position, start_offset, end_offset, model, text, words)";

pub(super) async fn replace(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
    index: &NewIndex,
) -> TaskResult<bool> {
    let of = |sql: &str| {
        Sql::new(sql)
            .bind::<Uuid, _>(Id(id.0))
            .bind::<Uuid, _>(Id(organization.0))
    };
    let text = index.text.as_ref().map(|text| storable(text).into_owned());
    let finished = of(FINISH)
        .bind::<Integer, _>(i32::try_from(index.chunks.len()).map_err(Error::unavailable)?)
        .bind::<Nullable<Text>, _>(text)
        .bind::<Nullable<BigInt>, _>(index.fence.map(Count))
        .bind::<Text, _>(Word(index.status()))
        .execute(&mut link)
        .await?;
    if finished == 0 {
        return Ok(false);
    }
    let model = match &index.model {
        Some(model) => Some(models::ensure(link, model).await?),
        None => None,
    };
    in_order(link, vec![of(CLEAR)]).await?;
    for chunks in index.chunks.chunks(BATCH) {
        let mut statements = vec![insert(organization, id, chunks, model)];
        for chunk in chunks {
            let embedded = chunk.embedding.as_ref().zip(model);
            let put = |(vector, model): (&Vec<f32>, i64)| {
                embeddings::put(organization, chunk.id, model, vector)
            };
            statements.extend(embedded.map(put));
        }
        in_order(link, statements).await?;
    }
    if let Some(model) = model {
        embeddings::describe(link, vec![Id(id.0)], model).await?;
    }
    Ok(true)
}

fn insert(
    organization: OrganizationId,
    artifact: ArtifactId,
    chunks: &[Chunk],
    model: Option<i64>,
) -> Sql {
    let model = |chunk: &Chunk| chunk.embedding.as_ref().and(model);
    let text = |chunk: &Chunk| storable(&chunk.text).into_owned();
    let words = |chunk: &Chunk| words::vector(&chunk.text);
    Sql::new(INSERT)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Uuid, _>(Id(artifact.0))
        .bind::<Array<Uuid>, Vec<_>>(chunks.iter().map(|chunk| Id(chunk.id.0)).collect())
        .bind::<Array<Integer>, Vec<_>>(chunks.iter().map(|chunk| Count(chunk.position)).collect())
        .bind::<Array<BigInt>, Vec<_>>(chunks.iter().map(|chunk| Count(chunk.start)).collect())
        .bind::<Array<BigInt>, Vec<_>>(chunks.iter().map(|chunk| Count(chunk.end)).collect())
        .bind::<Array<Nullable<BigInt>>, Vec<_>>(chunks.iter().map(model).collect())
        .bind::<Array<Text>, Vec<_>>(chunks.iter().map(text).collect())
        .bind::<Array<Text>, Vec<_>>(chunks.iter().map(words).collect())
}

const DELETE_SOME: &str = "DELETE FROM chunks WHERE sequence IN ( \
    SELECT sequence FROM chunks WHERE artifact_id = $1 AND organization_id = $2 LIMIT $3)";

pub(super) async fn delete_some(
    mut link: Link<'_>,
    organization: OrganizationId,
    artifact: ArtifactId,
    limit: u32,
) -> TaskResult<u32> {
    let deleted = Sql::new(DELETE_SOME)
        .bind::<Uuid, _>(Id(artifact.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<BigInt, _>(i64::from(limit))
        .execute(&mut link)
        .await?;
    Ok(u32::try_from(deleted).map_err(Error::unavailable)?)
}
