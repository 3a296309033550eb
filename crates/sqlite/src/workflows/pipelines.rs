//! Pipelines and their versions.

use archesai_workflows::{
    Cursor, CursorKey, Error, Json, OrganizationId, Page, Pipeline, PipelineId, Slice, UserId,
    ports::{PipelineSort, bounded},
};
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind::UniqueViolation, Error as DieselError},
    sqlite::SqliteConnection,
};

use super::{
    columns::Count,
    octets::octets,
    task::{Failure, TaskResult},
};
use crate::{
    lists::sliced,
    schema::{pipeline_versions, pipelines},
    types::{Document, Id, Time, signed},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = pipelines, treat_none_as_default_value = false)]
pub(super) struct Row {
    id: Id,
    organization_id: Id,
    name: String,
    description: Option<String>,
    version: Count<u64>,
    created_by: Id,
    created_at: Time,
    updated_at: Time,
}

impl From<&Pipeline> for Row {
    fn from(pipeline: &Pipeline) -> Self {
        Self {
            id: Id(pipeline.id.0),
            organization_id: Id(pipeline.organization_id.0),
            name: pipeline.name.clone(),
            description: pipeline.description.clone(),
            version: Count(pipeline.version),
            created_by: Id(pipeline.created_by.0),
            created_at: Time(pipeline.created_at),
            updated_at: Time(pipeline.updated_at),
        }
    }
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
            .inner_join(pipeline_versions::table)
            .filter(pipeline_versions::version.eq(pipelines::version))
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

pub(super) fn insert(
    connection: &mut SqliteConnection,
    row: &Row,
    definition: &str,
) -> TaskResult<()> {
    diesel::insert_into(pipelines::table)
        .values(row)
        .execute(connection)
        .map_err(|error| match error {
            DieselError::DatabaseError(UniqueViolation, _) => Error::AlreadyExists.into(),
            error => Failure::from(error),
        })?;
    insert_version(connection, row, definition)
}

fn insert_version(
    connection: &mut SqliteConnection,
    row: &Row,
    definition: &str,
) -> TaskResult<()> {
    diesel::insert_into(pipeline_versions::table)
        .values((
            pipeline_versions::pipeline_id.eq(row.id),
            pipeline_versions::version.eq(row.version),
            pipeline_versions::definition.eq(definition),
        ))
        .execute(connection)?;
    Ok(())
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: PipelineId,
) -> TaskResult<Option<Pipeline>> {
    let found: Option<Found> = current!(organization)
        .filter(pipelines::id.eq(Id(id.0)))
        .select((Row::as_select(), pipeline_versions::definition))
        .get_result(connection)
        .optional()?;
    Ok(found.map(pipeline))
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    slice: &Slice<PipelineSort>,
) -> TaskResult<Page<Pipeline>> {
    let bytes = octets(&["pipeline_versions.definition"]);
    let bytes = page!(organization, slice, bytes).load(connection)?;
    let slice = &bounded(slice, &bytes);
    let selected = (Row::as_select(), pipeline_versions::definition);
    let found: Vec<Found> = page!(organization, slice, selected).load(connection)?;
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

pub(super) fn update(
    connection: &mut SqliteConnection,
    row: &Row,
    definition: &str,
) -> TaskResult<()> {
    let updated = diesel::update(
        pipelines::table
            .find(row.id)
            .filter(pipelines::organization_id.eq(row.organization_id))
            .filter(pipelines::version.eq(signed(row.version.0) - 1)),
    )
    .set((
        pipelines::name.eq(&row.name),
        pipelines::description.eq(&row.description),
        pipelines::version.eq(row.version),
        pipelines::updated_at.eq(row.updated_at),
    ))
    .execute(connection)?;
    if updated == 0 {
        return Err(Error::VersionConflict.into());
    }
    insert_version(connection, row, definition)
}

pub(super) fn delete(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: PipelineId,
) -> TaskResult<Option<u64>> {
    // Versions, runs and what belongs to them go with it, by cascade.
    let version: Option<Count<u64>> = diesel::delete(
        pipelines::table
            .find(Id(id.0))
            .filter(pipelines::organization_id.eq(Id(organization.0))),
    )
    .returning(pipelines::version)
    .get_result(connection)
    .optional()?;
    Ok(version.map(|version| version.0))
}

pub(super) fn find_definition(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    pipeline: PipelineId,
    version: u64,
) -> TaskResult<Option<Json>> {
    let found: Option<Document<Json>> = pipeline_versions::table
        .inner_join(pipelines::table)
        .filter(pipeline_versions::pipeline_id.eq(Id(pipeline.0)))
        .filter(pipeline_versions::version.eq(signed(version)))
        .filter(pipelines::organization_id.eq(Id(organization.0)))
        .select(pipeline_versions::definition)
        .get_result(connection)
        .optional()?;
    Ok(found.map(|definition| definition.0))
}
