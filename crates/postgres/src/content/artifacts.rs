//! Artifacts and the labels on them.

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Cursor, CursorKey, Error, IndexStatus,
    Json, OrganizationId, Page, Slice, UserId, ports::Leftover,
};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;
use futures_util::future::join;

use super::{TaskResult, erasures};
use crate::{
    errand::Link,
    schema::artifacts,
    sql::Sql,
    types::{Count, Digest, Document, Id, Time, Word},
};

/// The columns of artifacts as `a`, with the names of their labels; neither text nor vector.
macro_rules! artifact_columns {
    () => {
        "a.id, a.organization_id, a.name, a.media_type, a.size, a.sha256, a.blob_key, a.metadata, \
         a.index_status, a.index_error, a.chunk_count, a.version, a.created_by, a.created_at, \
         a.updated_at, ARRAY(SELECT l.name FROM artifact_labels AS al \
             JOIN labels AS l ON l.id = al.label_id WHERE al.artifact_id = a.id \
             ORDER BY l.name) AS labels"
    };
}
pub(super) use artifact_columns;

/// Reads artifacts as `a`.
const SELECT: &str = concat!("SELECT ", artifact_columns!(), " FROM artifacts AS a WHERE");

/// An artifact as statements in SQL answer it.
#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Uuid)]
    id: Id,
    #[diesel(sql_type = Uuid)]
    organization_id: Id,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    media_type: String,
    #[diesel(sql_type = BigInt)]
    size: Count<u64>,
    #[diesel(sql_type = Binary)]
    sha256: Digest,
    #[diesel(sql_type = Text)]
    blob_key: String,
    #[diesel(sql_type = Jsonb)]
    metadata: Document<Json>,
    #[diesel(sql_type = Text)]
    index_status: Word<IndexStatus>,
    #[diesel(sql_type = Nullable<Text>)]
    index_error: Option<String>,
    #[diesel(sql_type = Integer)]
    chunk_count: Count<u32>,
    #[diesel(sql_type = BigInt)]
    version: Count<u64>,
    #[diesel(sql_type = Nullable<Uuid>)]
    created_by: Option<Id>,
    #[diesel(sql_type = Timestamptz)]
    created_at: Time,
    #[diesel(sql_type = Timestamptz)]
    updated_at: Time,
    #[diesel(sql_type = Array<Text>)]
    labels: Vec<String>,
}

impl From<Row> for Artifact {
    fn from(row: Row) -> Self {
        Self {
            id: ArtifactId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            name: row.name,
            media_type: row.media_type,
            size: row.size.0,
            sha256: row.sha256.0,
            blob_key: row.blob_key,
            metadata: row.metadata.0,
            labels: row.labels,
            index_status: row.index_status.0,
            index_error: row.index_error,
            chunk_count: row.chunk_count.0,
            version: row.version.0,
            created_by: row.created_by.map(|id| UserId(id.0)),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// What came of an attempt to write an artifact, in a word.
#[derive(QueryableByName)]
struct Outcome {
    #[diesel(sql_type = Text)]
    outcome: String,
}

impl Outcome {
    /// The attempt as the port tells of it.
    fn told(self) -> TaskResult<()> {
        Err(match self.outcome.as_str() {
            "written" => return Ok(()),
            "exists" => Error::AlreadyExists,
            "erased" => Error::NotFound,
            "changed" => Error::VersionConflict,
            _ => Error::unavailable("an artifact is to have a label that does not exist"),
        }
        .into())
    }
}

/// Whether the organization `$2` has every label of `$3`.
macro_rules! has_labels {
    () => {
        "(SELECT count(*) FROM labels WHERE organization_id = $2 AND name = ANY ($3)) \
         = cardinality($3)"
    };
}

/// Adds an artifact with its labels, if they are there and nothing is being erased.
const INSERT: &str = concat!(
    "WITH new AS ( \
         INSERT INTO artifacts (id, organization_id, name, media_type, size, sha256, blob_key, \
             metadata, index_status, index_due, version, created_by, created_at, updated_at) \
         SELECT $1, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 \
         WHERE ",
    has_labels!(),
    " AND NOT EXISTS (SELECT FROM erasures WHERE organization_id = $2) \
         ON CONFLICT (id) DO NOTHING RETURNING id, organization_id), \
     labelled AS ( \
         INSERT INTO artifact_labels (artifact_id, label_id, organization_id) \
         SELECT new.id, l.id, l.organization_id FROM new \
         JOIN labels AS l ON l.organization_id = new.organization_id AND l.name = ANY ($3)) \
     SELECT CASE WHEN EXISTS (SELECT FROM new) THEN 'written' \
         WHEN EXISTS (SELECT FROM artifacts WHERE id = $1) THEN 'exists' \
         WHEN EXISTS (SELECT FROM erasures WHERE organization_id = $2) THEN 'erased' \
         WHEN ",
    has_labels!(),
    // Somebody else's, which is not to be seen.
    " THEN 'exists' ELSE 'unlabelled' END AS outcome"
);

pub(super) async fn insert(
    link: Link<'_>,
    organization: OrganizationId,
    artifact: &Artifact,
) -> TaskResult<()> {
    let due = (artifact.index_status == IndexStatus::Pending).then_some(Time(artifact.created_at));
    let insert = Sql::new(INSERT)
        .bind::<Uuid, _>(Id(artifact.id.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Array<Text>, _>(artifact.labels.clone())
        .bind::<Text, _>(artifact.name.clone())
        .bind::<Text, _>(artifact.media_type.clone())
        .bind::<BigInt, _>(Count(artifact.size))
        .bind::<Binary, _>(Digest(artifact.sha256))
        .bind::<Text, _>(artifact.blob_key.clone())
        .bind::<Jsonb, _>(Document(artifact.metadata.clone()))
        .bind::<Text, _>(Word(artifact.index_status))
        .bind::<Nullable<Timestamptz>, _>(due)
        .bind::<BigInt, _>(Count(artifact.version))
        .bind::<Nullable<Uuid>, _>(artifact.created_by.map(|id| Id(id.0)))
        .bind::<Timestamptz, _>(Time(artifact.created_at))
        .bind::<Timestamptz, _>(Time(artifact.updated_at));
    let lock = erasures::hold_off(organization);
    let (locked, outcome) = join(
        lock.execute(&mut &*link),
        insert.get_result::<Outcome>(&mut &*link),
    )
    .await;
    locked?;
    outcome?.told()
}

pub(super) async fn find(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<Artifact>> {
    let row: Option<Row> = Sql::new(SELECT)
        .push(" a.id = ")
        .value::<Uuid, _>(Id(id.0))
        .push(" AND a.organization_id = ")
        .value::<Uuid, _>(Id(organization.0))
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(row.map(Artifact::from))
}

/// Finds several artifacts of an organization.
pub(super) async fn find_all(
    mut link: Link<'_>,
    organization: OrganizationId,
    ids: Vec<Id>,
) -> TaskResult<Vec<Artifact>> {
    let rows: Vec<Row> = Sql::new(SELECT)
        .push(" a.id = ANY (")
        .value::<Array<Uuid>, _>(ids)
        .push(") AND a.organization_id = ")
        .value::<Uuid, _>(Id(organization.0))
        .push(" ORDER BY a.id")
        .load(&mut link)
        .await?;
    Ok(rows.into_iter().map(Artifact::from).collect())
}

pub(super) async fn list(
    mut link: Link<'_>,
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
        .load(&mut link)
        .await?;
    let rows = rows.into_iter().map(Artifact::from).collect();
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

/// Writes an artifact over the version before, and the labels it has now.
const UPDATE: &str = concat!(
    "WITH changed AS ( \
         UPDATE artifacts SET name = $4, metadata = $5, version = $6, updated_at = $7 \
         WHERE id = $1 AND organization_id = $2 AND version = $6 - 1 AND ",
    has_labels!(),
    " RETURNING id, organization_id), \
     wanted AS ( \
         SELECT changed.id AS artifact_id, l.id AS label_id, l.organization_id FROM changed \
         JOIN labels AS l ON l.organization_id = changed.organization_id AND l.name = ANY ($3)), \
     removed AS ( \
         DELETE FROM artifact_labels AS al USING changed WHERE al.artifact_id = changed.id \
         AND al.label_id NOT IN (SELECT label_id FROM wanted)), \
     added AS ( \
         INSERT INTO artifact_labels (artifact_id, label_id, organization_id) \
         SELECT * FROM wanted ON CONFLICT DO NOTHING) \
     SELECT CASE WHEN EXISTS (SELECT FROM changed) THEN 'written' WHEN ",
    has_labels!(),
    " THEN 'changed' ELSE 'unlabelled' END AS outcome"
);

pub(super) async fn update(
    mut link: Link<'_>,
    organization: OrganizationId,
    artifact: &Artifact,
) -> TaskResult<()> {
    let outcome: Outcome = Sql::new(UPDATE)
        .bind::<Uuid, _>(Id(artifact.id.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Array<Text>, _>(artifact.labels.clone())
        .bind::<Text, _>(artifact.name.clone())
        .bind::<Jsonb, _>(Document(artifact.metadata.clone()))
        .bind::<BigInt, _>(Count(artifact.version))
        .bind::<Timestamptz, _>(Time(artifact.updated_at))
        .get_result(&mut link)
        .await?;
    outcome.told()
}

pub(super) async fn delete(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<Leftover>> {
    // Passages, their words and vectors go with it, by cascade.
    let artifact = artifacts::table
        .find(Id(id.0))
        .filter(artifacts::organization_id.eq(Id(organization.0)));
    let deleted: Option<(String, Count<u64>, Count<u64>)> = diesel::delete(artifact)
        .returning((artifacts::blob_key, artifacts::size, artifacts::version))
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(deleted.map(|(blob_key, size, version)| Leftover {
        blob_key,
        size: size.0,
        version: version.0,
    }))
}

pub(super) async fn find_text(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: ArtifactId,
) -> TaskResult<Option<String>> {
    let text: Option<Option<String>> = artifacts::table
        .find(Id(id.0))
        .filter(artifacts::organization_id.eq(Id(organization.0)))
        .select(artifacts::content)
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(text.flatten())
}
