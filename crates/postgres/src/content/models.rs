//! The models that made embeddings, by numbers.

use archesai_content::{ModelInfo, OrganizationId};
use diesel::{
    prelude::*,
    sql_types::{Integer, Text, Uuid},
};
use diesel_async::RunQueryDsl;

use super::{Failure, TaskResult, vectors::DIMENSIONS};
use crate::{
    errand::Link,
    schema::embedding_models,
    sql::Sql,
    types::{Count, Id},
};

/// The number of a model, if it ever made an embedding.
pub(super) async fn find(mut link: Link<'_>, model: &ModelInfo) -> QueryResult<Option<i64>> {
    embedding_models::table
        .filter(embedding_models::name.eq(&model.name))
        .filter(embedding_models::dimensions.eq(Count(model.dimensions)))
        .select(embedding_models::id)
        .get_result(&mut link)
        .await
        .optional()
}

/// Adds a model. One that somebody else is adding at this moment is waited for.
const ADD: &str = "INSERT INTO embedding_models (name, dimensions) VALUES ($1, $2) \
    ON CONFLICT (name, dimensions) DO NOTHING";

/// The number of a model, a new one if it has none.
pub(super) async fn ensure(mut link: Link<'_>, model: &ModelInfo) -> TaskResult<i64> {
    if model.dimensions as usize > DIMENSIONS {
        let text = format!(
            "the model {} has {} dimensions, and at most {DIMENSIONS} can be kept",
            model.name, model.dimensions
        );
        return Err(Failure::Failed(text.into()));
    }
    if let Some(id) = find(link, model).await? {
        return Ok(id);
    }
    Sql::new(ADD)
        .bind::<Text, _>(model.name.clone())
        .bind::<Integer, _>(Count(model.dimensions))
        .execute(&mut link)
        .await?;
    let id = find(link, model).await?;
    Ok(id.ok_or(diesel::result::Error::NotFound)?)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Integer)]
    dimensions: Count<u32>,
}

const LIST: &str = "SELECT m.name, m.dimensions FROM embedding_models AS m \
    JOIN (SELECT model, count(*) AS used FROM chunk_embeddings WHERE organization_id = $1 \
        GROUP BY model) AS u ON u.model = m.id \
    ORDER BY u.used DESC, m.id";

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
) -> TaskResult<Vec<ModelInfo>> {
    let rows: Vec<Row> = Sql::new(LIST)
        .bind::<Uuid, _>(Id(organization.0))
        .load(&mut link)
        .await?;
    let model = |row: Row| ModelInfo {
        name: row.name,
        dimensions: row.dimensions.0,
    };
    Ok(rows.into_iter().map(model).collect())
}
