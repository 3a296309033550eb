//! Labels.

use std::time::SystemTime;

use archesai_content::{
    Artifact, Cursor, CursorKey, Error, Label, LabelId, LabelSort, OrganizationId, Page, Slice,
};
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind::UniqueViolation, Error as DieselError},
    sql_query,
    sql_types::{BigInt, Binary, Text},
    sqlite::SqliteConnection,
};

use super::{
    artifacts, erasures,
    filter::Sql,
    task::{Failure, TaskResult},
};
use crate::{
    schema::{artifact_labels, labels},
    types::{Id, Time},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    id: Id,
    #[diesel(sql_type = Binary)]
    organization_id: Id,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    created_at: Time,
}

impl From<Row> for Label {
    fn from(row: Row) -> Self {
        Self {
            id: LabelId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            name: row.name,
            created_at: row.created_at.0,
        }
    }
}

pub(super) fn insert(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    label: &Label,
) -> TaskResult<()> {
    let inserted = diesel::insert_into(labels::table)
        .values((
            labels::id.eq(Id(label.id.0)),
            labels::organization_id.eq(Id(organization.0)),
            labels::name.eq(&label.name),
            labels::created_at.eq(Time(label.created_at)),
        ))
        .on_conflict(labels::id)
        .do_nothing()
        .execute(connection)
        .map_err(|error| match error {
            DieselError::DatabaseError(UniqueViolation, _) => Error::LabelTaken.into(),
            error => Failure::from(error),
        })?;
    if inserted == 0 {
        return Err(Error::AlreadyExists.into());
    }
    erasures::refuse(connection, organization)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: LabelId,
) -> TaskResult<Option<Label>> {
    let row: Option<Row> = Sql::new(
        "SELECT id, organization_id, name, created_at FROM labels WHERE organization_id = ?",
    )
    .id(organization.0)
    .push(" AND id = ?")
    .id(id.0)
    .query()
    .get_result(connection)
    .optional()?;
    Ok(row.map(Label::from))
}

pub(super) fn ensure(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    labels: Vec<Label>,
) -> TaskResult<Vec<Label>> {
    let mut made = Vec::new();
    for label in labels {
        let inserted = diesel::insert_into(labels::table)
            .values((
                labels::id.eq(Id(label.id.0)),
                labels::organization_id.eq(Id(organization.0)),
                labels::name.eq(&label.name),
                labels::created_at.eq(Time(label.created_at)),
            ))
            .on_conflict((labels::organization_id, labels::name))
            .do_nothing()
            .execute(connection)?;
        if inserted == 1 {
            made.push(label);
        }
    }
    erasures::refuse(connection, organization)?;
    Ok(made)
}

pub(super) fn list(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    slice: &Slice<LabelSort>,
) -> TaskResult<Page<Label>> {
    let key = match slice.sort {
        LabelSort::Name => "name",
        LabelSort::CreatedAt => "created_at",
    };
    let rows: Vec<Row> = Sql::new(
        "SELECT id, organization_id, name, created_at FROM labels WHERE organization_id = ?",
    )
    .id(organization.0)
    .sliced(key, "id", slice)
    .query()
    .load(connection)?;
    let rows = rows.into_iter().map(Label::from).collect();
    Ok(Page::from_rows(rows, slice.limit, |row: &Label| Cursor {
        key: match slice.sort {
            LabelSort::Name => CursorKey::Text(row.name.clone()),
            LabelSort::CreatedAt => CursorKey::Time(row.created_at),
        },
        id: row.id.0,
    }))
}

pub(super) fn take_off(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: LabelId,
    limit: u32,
    now: SystemTime,
) -> TaskResult<Vec<Artifact>> {
    let changed: Vec<Changed> = sql_query(
        "UPDATE artifacts SET version = version + 1, updated_at = ? WHERE id IN ( \
           SELECT al.artifact_id FROM artifact_labels AS al JOIN labels AS l ON l.id = al.label_id \
           WHERE l.id = ? AND l.organization_id = ? ORDER BY al.artifact_id LIMIT ?) \
         RETURNING id",
    )
    .bind::<BigInt, _>(Time(now))
    .bind::<Binary, _>(Id(id.0))
    .bind::<Binary, _>(Id(organization.0))
    .bind::<BigInt, _>(i64::from(limit))
    .load(connection)?;
    let ids: Vec<Id> = changed.into_iter().map(|row| row.id).collect();
    for artifact in &ids {
        diesel::delete(artifact_labels::table.find((*artifact, Id(id.0)))).execute(connection)?;
    }
    artifacts::find_all(connection, &ids)
}

#[derive(QueryableByName)]
struct Changed {
    #[diesel(sql_type = Binary)]
    id: Id,
}

pub(super) fn delete(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    id: LabelId,
) -> TaskResult<bool> {
    let deleted = diesel::delete(
        labels::table
            .find(Id(id.0))
            .filter(labels::organization_id.eq(Id(organization.0))),
    )
    .execute(connection)?;
    Ok(deleted == 1)
}
