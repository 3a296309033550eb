//! Artifacts and the labels on them.

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Cursor, CursorKey, Error, Json,
    OrganizationId, Page, Slice, UserId, ports::Leftover,
};
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind::UniqueViolation, Error as DieselError},
    sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
    sqlite::SqliteConnection,
};

use super::{
    erasures,
    filter::Sql,
    task::{Failure, TaskResult},
};
use crate::{
    schema::{artifact_labels, artifacts},
    types::{Digest, Document, Id, Time, signed, unsigned},
};

/// Reads artifacts as `a`, with the names of their labels; neither text nor vector.
const SELECT: &str = "SELECT a.id, a.organization_id, a.name, a.media_type, a.size, a.sha256, \
    a.blob_key, a.metadata, a.index_status, a.index_error, a.chunk_count, a.version, \
    a.created_by, a.created_at, a.updated_at, \
    (SELECT json_group_array(l.name ORDER BY l.name) FROM artifact_labels AS al \
     JOIN labels AS l ON l.id = al.label_id WHERE al.artifact_id = a.id) AS labels \
    FROM artifacts AS a WHERE";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    id: Id,
    #[diesel(sql_type = Binary)]
    organization_id: Id,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    media_type: String,
    #[diesel(sql_type = BigInt)]
    size: i64,
    #[diesel(sql_type = Binary)]
    sha256: Digest,
    #[diesel(sql_type = Text)]
    blob_key: String,
    #[diesel(sql_type = Text)]
    metadata: Document<Json>,
    #[diesel(sql_type = Text)]
    index_status: String,
    #[diesel(sql_type = Nullable<Text>)]
    index_error: Option<String>,
    #[diesel(sql_type = BigInt)]
    chunk_count: i64,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Nullable<Binary>)]
    created_by: Option<Id>,
    #[diesel(sql_type = BigInt)]
    created_at: Time,
    #[diesel(sql_type = BigInt)]
    updated_at: Time,
    #[diesel(sql_type = Text)]
    labels: Document<Vec<String>>,
}

impl TryFrom<Row> for Artifact {
    type Error = Failure;

    fn try_from(row: Row) -> TaskResult<Self> {
        Ok(Self {
            id: ArtifactId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            name: row.name,
            media_type: row.media_type,
            size: unsigned(row.size),
            sha256: row.sha256.0,
            blob_key: row.blob_key,
            metadata: row.metadata.0,
            labels: row.labels.0,
            index_status: row.index_status.parse().map_err(Error::unavailable)?,
            index_error: row.index_error,
            chunk_count: u32::try_from(row.chunk_count).map_err(Error::unavailable)?,
            version: unsigned(row.version),
            created_by: row.created_by.map(|id| UserId(id.0)),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

pub(super) fn insert(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    artifact: &Artifact,
) -> TaskResult<()> {
    diesel::insert_into(artifacts::table)
        .values((
            artifacts::id.eq(Id(artifact.id.0)),
            artifacts::organization_id.eq(Id(organization.0)),
            artifacts::name.eq(&artifact.name),
            artifacts::media_type.eq(&artifact.media_type),
            artifacts::size.eq(signed(artifact.size)),
            artifacts::sha256.eq(Digest(artifact.sha256)),
            artifacts::blob_key.eq(&artifact.blob_key),
            artifacts::metadata.eq(artifact.metadata.to_string()),
            artifacts::index_status.eq(artifact.index_status.as_str()),
            artifacts::index_due.eq(Time(artifact.created_at)),
            artifacts::version.eq(signed(artifact.version)),
            artifacts::created_by.eq(artifact.created_by.map(|id| Id(id.0))),
            artifacts::created_at.eq(Time(artifact.created_at)),
            artifacts::updated_at.eq(Time(artifact.updated_at)),
        ))
        .execute(connection)
        .map_err(|error| match error {
            DieselError::DatabaseError(UniqueViolation, _) => Error::AlreadyExists.into(),
            error => Failure::from(error),
        })?;
    erasures::refuse(connection, organization)?;
    put_labels(connection, organization, artifact)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<Artifact>> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" a.id = ? AND a.organization_id = ?")
        .id(id.0)
        .id(organization.0)
        .query()
        .get_result(connection)
        .optional()?;
    row.map(Artifact::try_from).transpose()
}

/// Finds several artifacts of any organization, in the order of the ids given.
pub(super) fn find_all(connection: &mut SqliteConnection, ids: &[Id]) -> TaskResult<Vec<Artifact>> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let row: Row = Sql::new(SELECT)
            .push(" a.id = ?")
            .id(id.0)
            .query()
            .get_result(connection)?;
        found.push(row.try_into()?);
    }
    Ok(found)
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    filter: &ArtifactFilter,
    slice: &Slice<ArtifactSort>,
) -> TaskResult<Page<Artifact>> {
    let key = match slice.sort {
        ArtifactSort::CreatedAt => "a.created_at",
        ArtifactSort::Name => "a.name",
    };
    let rows: Vec<Row> = Sql::new(SELECT)
        .listed(organization, filter)
        .sliced(key, "a.id", slice)
        .query()
        .load(connection)?;
    let rows = rows
        .into_iter()
        .map(Artifact::try_from)
        .collect::<TaskResult<_>>()?;
    Ok(Page::from_rows(rows, slice.limit, |row: &Artifact| {
        Cursor {
            key: match slice.sort {
                ArtifactSort::CreatedAt => CursorKey::Time(row.created_at),
                ArtifactSort::Name => CursorKey::Text(row.name.clone()),
            },
            id: row.id.0,
        }
    }))
}

pub(super) fn update(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    artifact: &Artifact,
) -> TaskResult<()> {
    let updated = diesel::update(
        artifacts::table
            .find(Id(artifact.id.0))
            .filter(artifacts::organization_id.eq(Id(organization.0)))
            .filter(artifacts::version.eq(signed(artifact.version) - 1)),
    )
    .set((
        artifacts::name.eq(&artifact.name),
        artifacts::metadata.eq(artifact.metadata.to_string()),
        artifacts::version.eq(signed(artifact.version)),
        artifacts::updated_at.eq(Time(artifact.updated_at)),
    ))
    .execute(connection)?;
    if updated == 0 {
        return Err(Error::VersionConflict.into());
    }
    diesel::delete(
        artifact_labels::table.filter(artifact_labels::artifact_id.eq(Id(artifact.id.0))),
    )
    .execute(connection)?;
    put_labels(connection, organization, artifact)
}

pub(super) fn delete(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<Leftover>> {
    // Passages, their words and vectors go with it, by cascade and trigger.
    let deleted: Option<(String, i64, i64)> = diesel::delete(
        artifacts::table
            .find(Id(id.0))
            .filter(artifacts::organization_id.eq(Id(organization.0))),
    )
    .returning((artifacts::blob_key, artifacts::size, artifacts::version))
    .get_result(connection)
    .optional()?;
    Ok(deleted.map(|(blob_key, size, version)| Leftover {
        blob_key,
        size: unsigned(size),
        version: unsigned(version),
    }))
}

pub(super) fn find_text(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<String>> {
    let text: Option<Option<String>> = artifacts::table
        .find(Id(id.0))
        .filter(artifacts::organization_id.eq(Id(organization.0)))
        .select(artifacts::content)
        .first(connection)
        .optional()?;
    Ok(text.flatten())
}

/// Puts its labels on an artifact that has none.
fn put_labels(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    artifact: &Artifact,
) -> TaskResult<()> {
    for label in &artifact.labels {
        let put = sql_query(
            "INSERT INTO artifact_labels (artifact_id, label_id) \
             SELECT ?, id FROM labels WHERE organization_id = ? AND name = ?",
        )
        .bind::<Binary, _>(Id(artifact.id.0))
        .bind::<Binary, _>(Id(organization.0))
        .bind::<Text, _>(label)
        .execute(connection)?;
        if put == 0 {
            return Err(
                Error::unavailable("an artifact is to have a label that does not exist").into(),
            );
        }
    }
    Ok(())
}
