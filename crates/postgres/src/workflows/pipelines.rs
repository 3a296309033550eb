//! Pipelines and their versions.

use archesai_workflows::{
    Cursor, CursorKey, Error, Json, OrganizationId, Page, Pipeline, PipelineId, Slice, UserId,
    ports::{PipelineSort, bounded},
};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Json as SqlJson, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;

use super::{TaskResult, octets::octets};
use crate::{
    errand::Link,
    lists::sliced,
    schema::{pipeline_versions, pipelines},
    sql::Sql,
    types::{Count, Document, Id, JsonText, Time},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = pipelines)]
struct Row {
    id: Id,
    organization_id: Id,
    name: String,
    description: Option<String>,
    version: Count<u64>,
    created_by: Id,
    created_at: Time,
    updated_at: Time,
}

type Found = (Row, Document<Json>);

fn pipeline((row, definition): Found) -> Pipeline {
    Pipeline {
        id: PipelineId(row.id.0),
        organization_id: OrganizationId(row.organization_id.0),
        name: row.name,
        description: row.description,
        definition: definition.0,
        version: row.version.0,
        created_by: UserId(row.created_by.0),
        created_at: row.created_at.0,
        updated_at: row.updated_at.0,
    }
}

/// The pipelines of an organization with their newest definitions.
macro_rules! current {
    ($organization:expr) => {
        pipelines::table
            .inner_join(
                pipeline_versions::table.on(pipeline_versions::organization_id
                    .eq(pipelines::organization_id)
                    .and(pipeline_versions::pipeline_id.eq(pipelines::id))
                    .and(pipeline_versions::version.eq(pipelines::version))),
            )
            .filter(pipelines::organization_id.eq(Id($organization.0)))
    };
}

/// Something of the pipelines in a slice of those of an organization.
macro_rules! page {
    ($organization:expr, $slice:expr, $selected:expr) => {{
        use pipelines::{created_at, id, name, updated_at};
        let slice = $slice;
        let query = current!($organization).select($selected).into_boxed();
        match slice.sort {
            PipelineSort::CreatedAt => sliced!(query, slice, created_at, id, Time),
            PipelineSort::UpdatedAt => sliced!(query, slice, updated_at, id, Time),
            PipelineSort::Name => sliced!(query, slice, name, id, Text),
        }
    }};
}

const INSERT: &str = "WITH new AS ( \
        INSERT INTO pipelines (id, organization_id, name, description, version, created_by, \
            created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
        ON CONFLICT (id) DO NOTHING RETURNING organization_id, id, version) \
    INSERT INTO pipeline_versions (organization_id, pipeline_id, version, definition) \
    SELECT organization_id, id, version, $9 FROM new";

pub(super) async fn insert(mut link: Link<'_>, pipeline: &Pipeline) -> TaskResult<()> {
    let inserted = Sql::new(INSERT)
        .bind::<Uuid, _>(Id(pipeline.id.0))
        .bind::<Uuid, _>(Id(pipeline.organization_id.0))
        .bind::<Text, _>(pipeline.name.clone())
        .bind::<Nullable<Text>, _>(pipeline.description.clone())
        .bind::<BigInt, _>(Count(pipeline.version))
        .bind::<Uuid, _>(Id(pipeline.created_by.0))
        .bind::<Timestamptz, _>(Time(pipeline.created_at))
        .bind::<Timestamptz, _>(Time(pipeline.updated_at))
        .bind::<SqlJson, _>(JsonText::of(&pipeline.definition).map_err(Error::unavailable)?)
        .execute(&mut link)
        .await?;
    match inserted {
        0 => Err(Error::AlreadyExists.into()),
        _ => Ok(()),
    }
}

pub(super) async fn find(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: PipelineId,
) -> TaskResult<Option<Pipeline>> {
    let found: Option<Found> = current!(organization)
        .filter(pipelines::id.eq(Id(id.0)))
        .select((Row::as_select(), pipeline_versions::definition))
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(found.map(pipeline))
}

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    slice: &Slice<PipelineSort>,
) -> TaskResult<Page<Pipeline>> {
    let bytes = octets(&["pipeline_versions.definition"]);
    let bytes = page!(organization, slice, bytes).load(&mut link).await?;
    let slice = &bounded(slice, &bytes);
    let selected = (Row::as_select(), pipeline_versions::definition);
    let found: Vec<Found> = page!(organization, slice, selected).load(&mut link).await?;
    let found = found.into_iter().map(pipeline).collect();
    Ok(Page::from_rows(found, slice.limit, |last: &Pipeline| {
        Cursor {
            key: match slice.sort {
                PipelineSort::CreatedAt => CursorKey::Time(last.created_at),
                PipelineSort::UpdatedAt => CursorKey::Time(last.updated_at),
                PipelineSort::Name => CursorKey::Text(last.name.clone()),
            },
            id: last.id.0,
        }
    }))
}

const UPDATE: &str = "WITH changed AS ( \
        UPDATE pipelines SET name = $3, description = $4, version = $5, updated_at = $6 \
        WHERE id = $1 AND organization_id = $2 AND version = $5 - 1 \
        RETURNING organization_id, id, version) \
    INSERT INTO pipeline_versions (organization_id, pipeline_id, version, definition) \
    SELECT organization_id, id, version, $7 FROM changed";

pub(super) async fn update(mut link: Link<'_>, pipeline: &Pipeline) -> TaskResult<()> {
    let updated = Sql::new(UPDATE)
        .bind::<Uuid, _>(Id(pipeline.id.0))
        .bind::<Uuid, _>(Id(pipeline.organization_id.0))
        .bind::<Text, _>(pipeline.name.clone())
        .bind::<Nullable<Text>, _>(pipeline.description.clone())
        .bind::<BigInt, _>(Count(pipeline.version))
        .bind::<Timestamptz, _>(Time(pipeline.updated_at))
        .bind::<SqlJson, _>(JsonText::of(&pipeline.definition).map_err(Error::unavailable)?)
        .execute(&mut link)
        .await?;
    match updated {
        0 => Err(Error::VersionConflict.into()),
        _ => Ok(()),
    }
}

pub(super) async fn delete(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: PipelineId,
) -> TaskResult<Option<u64>> {
    // Versions, runs and what belongs to them go with it, by cascade.
    let pipeline = pipelines::table
        .find(Id(id.0))
        .filter(pipelines::organization_id.eq(Id(organization.0)));
    let deleted = diesel::delete(pipeline).returning(pipelines::version);
    let version: Option<Count<u64>> = deleted.get_result(&mut link).await.optional()?;
    Ok(version.map(|version| version.0))
}

pub(super) async fn find_definition(
    mut link: Link<'_>,
    organization: OrganizationId,
    pipeline: PipelineId,
    version: u64,
) -> TaskResult<Option<Json>> {
    let key = (Id(organization.0), Id(pipeline.0), Count(version));
    let found: Option<Document<Json>> = pipeline_versions::table
        .find(key)
        .select(pipeline_versions::definition)
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(found.map(|definition| definition.0))
}
