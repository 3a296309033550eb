//! Labels.

use std::time::SystemTime;

use archesai_content::{
    Artifact, Cursor, CursorKey, Error, Label, LabelId, LabelSort, OrganizationId, Page, Slice,
};
use diesel::{
    dsl::exists,
    prelude::*,
    select,
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid},
};
use diesel_async::RunQueryDsl;
use futures_util::future::{join, join3};

use super::{TaskResult, artifacts, erasures};
use crate::{
    errand::Link,
    lists::sliced,
    schema::{erasures as erasing, labels},
    sql::Sql,
    types::{Id, Time},
};

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = labels)]
struct Row {
    id: Id,
    organization_id: Id,
    name: String,
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

/// Adds labels whose names the organization does not have, unless all it has is being erased. They
/// come in the order of their names, so that of two who add several none waits for the other.
const ADD: &str = "INSERT INTO labels (id, organization_id, name, created_at) \
    SELECT new.id, $1, new.name, new.created_at \
    FROM unnest($2, $3, $4) AS new (id, name, created_at) \
    WHERE NOT EXISTS (SELECT FROM erasures WHERE organization_id = $1) \
    ORDER BY new.name COLLATE \"C\" \
    ON CONFLICT DO NOTHING RETURNING *";

/// Adds labels. Answers those that were added, and whether what the organization has is erased.
async fn add(
    link: Link<'_>,
    organization: OrganizationId,
    labels: &[Label],
) -> TaskResult<(Vec<Label>, bool)> {
    let add = Sql::new(ADD)
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<Array<Uuid>, Vec<Id>>(labels.iter().map(|label| Id(label.id.0)).collect())
        .bind::<Array<Text>, Vec<String>>(labels.iter().map(|label| label.name.clone()).collect())
        .bind::<Array<Timestamptz>, Vec<Time>>(
            labels.iter().map(|label| Time(label.created_at)).collect(),
        );
    let erased = select(exists(erasing::table.find(Id(organization.0))));
    let (locked, added, is_erased) = join3(
        erasures::hold_off(organization).execute(&mut &*link),
        add.load::<Row>(&mut &*link),
        erased.get_result::<bool>(&mut &*link),
    )
    .await;
    locked?;
    Ok((added?.into_iter().map(Label::from).collect(), is_erased?))
}

pub(super) async fn insert(
    link: Link<'_>,
    organization: OrganizationId,
    label: &Label,
) -> TaskResult<()> {
    let (added, is_erased) = add(link, organization, std::slice::from_ref(label)).await?;
    if !added.is_empty() {
        return Ok(());
    }
    let same_id = select(exists(labels::table.find(Id(label.id.0))));
    let of_name = labels::table
        .filter(labels::organization_id.eq(Id(organization.0)))
        .filter(labels::name.eq(&label.name));
    let same_name = select(exists(of_name));
    let (same_id, same_name) = join(
        same_id.get_result::<bool>(&mut &*link),
        same_name.get_result::<bool>(&mut &*link),
    )
    .await;
    Err(match (same_id?, same_name?, is_erased) {
        (false, true, _) => Error::LabelTaken,
        (false, false, true) => Error::NotFound,
        // Somebody else's, if it is not to be seen.
        _ => Error::AlreadyExists,
    }
    .into())
}

pub(super) async fn ensure(
    link: Link<'_>,
    organization: OrganizationId,
    labels: &[Label],
) -> TaskResult<Vec<Label>> {
    let (added, is_erased) = add(link, organization, labels).await?;
    if is_erased {
        return Err(Error::NotFound.into());
    }
    let is_added = |label: &&Label| added.iter().any(|added| added.id == label.id);
    Ok(labels.iter().filter(is_added).cloned().collect())
}

pub(super) async fn find(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: LabelId,
) -> TaskResult<Option<Label>> {
    let row: Option<Row> = labels::table
        .find(Id(id.0))
        .filter(labels::organization_id.eq(Id(organization.0)))
        .select(Row::as_select())
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(row.map(Label::from))
}

pub(super) async fn list(
    mut link: Link<'_>,
    organization: OrganizationId,
    slice: &Slice<LabelSort>,
) -> TaskResult<Page<Label>> {
    let query = labels::table
        .filter(labels::organization_id.eq(Id(organization.0)))
        .select(Row::as_select())
        .into_boxed();
    let query = match slice.sort {
        LabelSort::Name => sliced!(query, slice, labels::name, labels::id, Text),
        LabelSort::CreatedAt => sliced!(query, slice, labels::created_at, labels::id, Time),
    };
    let rows: Vec<Row> = query.load(&mut link).await?;
    let rows = rows.into_iter().map(Label::from).collect();
    Ok(Page::from_rows(rows, slice.limit, |row: &Label| Cursor {
        key: match slice.sort {
            LabelSort::Name => CursorKey::Text(row.name.clone()),
            LabelSort::CreatedAt => CursorKey::Time(row.created_at),
        },
        id: row.id.0,
    }))
}

const TAKE_OFF: &str = "WITH taken AS ( \
        DELETE FROM artifact_labels WHERE (artifact_id, label_id) IN ( \
            SELECT artifact_id, label_id FROM artifact_labels \
            WHERE label_id = $1 AND organization_id = $2 ORDER BY artifact_id LIMIT $3) \
        RETURNING artifact_id) \
    UPDATE artifacts AS a SET version = a.version + 1, updated_at = $4 \
    FROM taken WHERE a.id = taken.artifact_id RETURNING a.id";

#[derive(QueryableByName)]
struct Changed {
    #[diesel(sql_type = Uuid)]
    id: Id,
}

pub(super) async fn take_off(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: LabelId,
    limit: u32,
    now: SystemTime,
) -> TaskResult<Vec<Artifact>> {
    let changed: Vec<Changed> = Sql::new(TAKE_OFF)
        .bind::<Uuid, _>(Id(id.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<BigInt, _>(i64::from(limit))
        .bind::<Timestamptz, _>(Time(now))
        .load(&mut link)
        .await?;
    let ids = changed.into_iter().map(|row| row.id).collect();
    artifacts::find_all(link, organization, ids).await
}

pub(super) async fn delete(
    mut link: Link<'_>,
    organization: OrganizationId,
    id: LabelId,
) -> TaskResult<bool> {
    let label = labels::table
        .find(Id(id.0))
        .filter(labels::organization_id.eq(Id(organization.0)));
    Ok(diesel::delete(label).execute(&mut link).await? == 1)
}
