//! The models that made embeddings, by a number that is shorter than their name.

use archesai_content::{ModelInfo, OrganizationId};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Text},
    sqlite::SqliteConnection,
};

use super::task::TaskResult;
use crate::{schema::embedding_models, types::Id};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    dimensions: i64,
}

/// The number of a model, if it ever made an embedding.
pub(super) fn find(
    connection: &mut SqliteConnection,
    model: &ModelInfo,
) -> TaskResult<Option<i64>> {
    let id = embedding_models::table
        .filter(embedding_models::name.eq(&model.name))
        .filter(embedding_models::dimensions.eq(i64::from(model.dimensions)))
        .select(embedding_models::id)
        .first(connection)
        .optional()?;
    Ok(id)
}

/// The number of a model, a new one if it has none.
pub(super) fn ensure(connection: &mut SqliteConnection, model: &ModelInfo) -> TaskResult<i64> {
    if let Some(id) = find(connection, model)? {
        return Ok(id);
    }
    let id = diesel::insert_into(embedding_models::table)
        .values((
            embedding_models::name.eq(&model.name),
            embedding_models::dimensions.eq(i64::from(model.dimensions)),
        ))
        .returning(embedding_models::id)
        .get_result(connection)?;
    Ok(id)
}

/// The numbers of all models but one.
pub(super) fn others(connection: &mut SqliteConnection, model: &ModelInfo) -> TaskResult<Vec<i64>> {
    let own = find(connection, model)?;
    let ids: Vec<i64> = embedding_models::table
        .select(embedding_models::id)
        .load(connection)?;
    Ok(ids.into_iter().filter(|id| Some(*id) != own).collect())
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
) -> TaskResult<Vec<ModelInfo>> {
    let rows: Vec<Row> = sql_query(
        "SELECT m.name, m.dimensions FROM embedding_models AS m JOIN ( \
           SELECT model, count(*) AS used FROM chunk_embeddings \
           WHERE organization_id = ? GROUP BY model) AS u ON u.model = m.id \
         ORDER BY u.used DESC, m.id",
    )
    .bind::<Binary, _>(Id(organization.0))
    .load(connection)?;
    let model = |row: Row| ModelInfo {
        name: row.name,
        dimensions: u32::try_from(row.dimensions).unwrap_or(0),
    };
    Ok(rows.into_iter().map(model).collect())
}
