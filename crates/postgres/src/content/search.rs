//! Finding passages, by their vectors and by their words.
//!
//! Vectors are compared one by one as long as the tenant has few, or little of what there is: nothing
//! is missed then. Only where that would take long is the index asked, which knows no tenants: it
//! goes on looking until it has enough, and where it gives up they are compared one by one after all.

use archesai_content::{ArtifactId, ChunkId, Hit, ModelInfo, OrganizationId, SearchFilter};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Double, Float, Integer, Text, Uuid},
};
use diesel_async::RunQueryDsl;
use futures_util::future::join3;

use super::{TaskResult, vectors::padded, words};
use crate::{
    errand::Link,
    sql::Sql,
    types::{Count, Id},
};

/// The index is asked if no less than one in so many vectors is the tenant's.
const SHARE: f64 = 10.0;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Uuid)]
    artifact_id: Id,
    #[diesel(sql_type = Text)]
    artifact_name: String,
    #[diesel(sql_type = Uuid)]
    chunk_id: Id,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Integer)]
    position: Count<u32>,
    #[diesel(sql_type = Double)]
    score: f64,
}

impl From<Row> for Hit {
    fn from(row: Row) -> Self {
        Self {
            artifact_id: ArtifactId(row.artifact_id.0),
            artifact_name: row.artifact_name,
            chunk_id: ChunkId(row.chunk_id.0),
            text: row.text,
            score: row.score,
            position: row.position.0,
        }
    }
}

/// Shows the passages `best`, which have a score, the best first.
const SHOW: &str = " SELECT a.id AS artifact_id, a.name AS artifact_name, c.id AS chunk_id, c.text, \
        c.position, best.score \
    FROM best JOIN chunks AS c ON c.sequence = best.chunk \
    JOIN artifacts AS a ON a.id = c.artifact_id ORDER BY best.score DESC, c.id";

/// How many vectors of a model a tenant has, as far as it matters, and how many there are of all.
const SIZES: &str = "SELECT m.id AS model, ( \
        SELECT count(*) FROM (SELECT FROM chunk_embeddings AS e \
            WHERE e.organization_id = $1 AND e.model = m.id LIMIT $4) AS own) AS own, \
        (SELECT reltuples FROM pg_class WHERE oid = 'chunk_embeddings'::regclass)::float8 AS total \
    FROM embedding_models AS m WHERE m.name = $2 AND m.dimensions = $3";

#[derive(QueryableByName)]
struct Sizes {
    #[diesel(sql_type = BigInt)]
    model: i64,
    #[diesel(sql_type = BigInt)]
    own: i64,
    #[diesel(sql_type = Double)]
    total: f64,
}

/// What is looked for.
pub(super) struct Wanted<'a> {
    pub(super) organization: OrganizationId,
    pub(super) embedding: &'a [f32],
    pub(super) filter: &'a SearchFilter,
    pub(super) limit: u32,
    /// If the tenant has no more vectors, they are compared one by one.
    pub(super) exact_up_to: u32,
}

pub(super) async fn semantic(
    mut link: Link<'_>,
    model: &ModelInfo,
    wanted: Wanted<'_>,
) -> TaskResult<Vec<Hit>> {
    let few = i64::from(wanted.exact_up_to);
    let sizes: Option<Sizes> = Sql::new(SIZES)
        .bind::<Uuid, _>(Id(wanted.organization.0))
        .bind::<Text, _>(model.name.clone())
        .bind::<Integer, _>(Count(model.dimensions))
        .bind::<BigInt, _>(few + 1)
        .get_result(&mut link)
        .await
        .optional()?;
    let Some(sizes) = sizes else {
        return Ok(Vec::new());
    };
    // The tenant has at least as many as were counted.
    let share = f64::from(wanted.exact_up_to) * SHARE;
    let is_large = sizes.own > few && share >= sizes.total;
    if is_large && *wanted.filter == SearchFilter::default() {
        let found = by_index(link, sizes.model, &wanted).await?;
        if found.len() == wanted.limit as usize {
            return Ok(found);
        }
    }
    one_by_one(link, sizes.model, &wanted).await
}

/// The sum keeps the index for vectors out of it, which would stop short.
async fn one_by_one(mut link: Link<'_>, model: i64, wanted: &Wanted<'_>) -> TaskResult<Vec<Hit>> {
    let sql = Sql::new("WITH best AS (SELECT e.chunk, 1 - (e.vector <=> ")
        .value::<Array<Float>, _>(padded(wanted.embedding))
        .push("::halfvec) AS score FROM chunk_embeddings AS e WHERE e.organization_id = ")
        .value::<Uuid, _>(Id(wanted.organization.0))
        .push(" AND e.model = ")
        .value::<BigInt, _>(model);
    let rows: Vec<Row> = of_artifacts(sql, "e.artifact_id", wanted.organization, wanted.filter)
        .push(" ORDER BY score DESC, e.id LIMIT ")
        .value::<BigInt, _>(i64::from(wanted.limit))
        .push(")")
        .push(SHOW)
        .load(&mut link)
        .await?;
    Ok(rows.into_iter().map(Hit::from).collect())
}

/// How the index looks: among enough candidates to miss few, and on until there are as many as
/// asked for. That it is asked is decided here, and not by what the database takes for cheaper.
const LOOK_ON: &str = "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), \
    set_config('hnsw.ef_search', $1, true), set_config('enable_sort', 'off', true)";

async fn by_index(link: Link<'_>, model: i64, wanted: &Wanted<'_>) -> TaskResult<Vec<Hit>> {
    let candidates = wanted.limit.saturating_mul(2).clamp(100, 1_000);
    let look_on = Sql::new(LOOK_ON).bind::<Text, _>(candidates.to_string());
    let vector = padded(wanted.embedding);
    let search = Sql::new(
        "WITH near AS MATERIALIZED (SELECT e.chunk, e.vector <=> $1::halfvec AS distance \
             FROM chunk_embeddings AS e WHERE e.organization_id = $2 AND e.model = $3 \
             ORDER BY e.vector <=> $1::halfvec LIMIT $4), \
         best AS (SELECT chunk, 1 - distance AS score FROM near)",
    )
    .bind::<Array<Float>, _>(vector)
    .bind::<Uuid, _>(Id(wanted.organization.0))
    .bind::<BigInt, _>(model)
    .bind::<BigInt, _>(i64::from(wanted.limit))
    .push(SHOW);
    let back = Sql::new("SELECT set_config('enable_sort', 'on', true)");
    let (set, rows, back) = join3(
        look_on.execute(&mut &*link),
        search.load::<Row>(&mut &*link),
        back.execute(&mut &*link),
    )
    .await;
    set?;
    let rows = rows?;
    back?;
    Ok(rows.into_iter().map(Hit::from).collect())
}

/// Adds a condition on artifacts to a query, if there is one but whose they are.
fn of_artifacts(
    sql: Sql,
    artifact: &str,
    organization: OrganizationId,
    filter: &SearchFilter,
) -> Sql {
    if *filter == SearchFilter::default() {
        return sql;
    }
    sql.push(&format!(
        " AND {artifact} IN (SELECT a.id FROM artifacts AS a WHERE"
    ))
    .searched(organization, filter)
    .push(")")
}

/// Ranks passages by their words: each counts the more, the fewer passages among those found have it
/// and the more often it is in the passage, and the less the longer the passage is.
pub(super) async fn keyword(
    mut link: Link<'_>,
    organization: OrganizationId,
    query: &str,
    filter: &SearchFilter,
    limit: u32,
) -> TaskResult<Vec<Hit>> {
    let queries = words::queries(query);
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(
        "WITH found AS MATERIALIZED ( \
             SELECT c.sequence, c.id, w.place, ts_rank(c.words, w.query, 1) AS weight \
             FROM chunks AS c, unnest($1::tsquery[]) WITH ORDINALITY AS w (query, place) \
             WHERE c.organization_id = $2 AND c.words @@ w.query",
    )
    .bind::<Array<Text>, _>(queries)
    .bind::<Uuid, _>(Id(organization.0));
    let rows: Vec<Row> = of_artifacts(sql, "c.artifact_id", organization, filter)
        .push(
            "), rarity AS ( \
                 SELECT place, ln(1 + (SELECT count(DISTINCT sequence) FROM found)::float8 \
                     / count(*)) AS weight FROM found GROUP BY place), \
             best AS ( \
                 SELECT found.sequence AS chunk, sum(found.weight * rarity.weight) AS score \
                 FROM found JOIN rarity ON rarity.place = found.place \
                 GROUP BY found.sequence, found.id ORDER BY score DESC, found.id LIMIT ",
        )
        .value::<BigInt, _>(i64::from(limit))
        .push(")")
        .push(SHOW)
        .load(&mut link)
        .await?;
    Ok(rows.into_iter().map(Hit::from).collect())
}
