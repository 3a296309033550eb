//! Conditions on artifacts, as SQL whose every value is bound.

use std::collections::BTreeMap;

use archesai_content::{
    ArtifactFilter, ArtifactId, CursorKey, Json, OrganizationId, SearchFilter, Slice,
};
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Timestamptz, Uuid};

use crate::{
    sql::Sql,
    types::{Document, Id, Time, Word},
};

impl Sql {
    /// Adds the conditions of a list to a query of artifacts as `a`.
    pub(super) fn listed(self, organization: OrganizationId, filter: &ArtifactFilter) -> Self {
        let mut sql = self
            .owned(organization)
            .labelled(organization, &filter.labels)
            .described(&filter.metadata)
            .of_type(filter.media_type.as_deref());
        if let Some(name) = &filter.name {
            sql = sql
                .push(" AND strpos(lower(a.name), lower(")
                .value::<Text, _>(name.clone())
                .push(" COLLATE \"C\")) > 0");
        }
        if let Some(status) = filter.index_status {
            sql = sql
                .push(" AND a.index_status = ")
                .value::<Text, _>(Word(status));
        }
        sql
    }

    /// Adds the conditions of a search to a query of artifacts as `a`.
    pub(super) fn searched(self, organization: OrganizationId, filter: &SearchFilter) -> Self {
        self.owned(organization)
            .labelled(organization, &filter.labels)
            .described(&filter.metadata)
            .of_type(filter.media_type.as_deref())
            .one_of(filter.artifact_ids.as_deref())
    }

    /// Adds the position, order and limit of a slice. `key` and `id` name the columns that are sorted
    /// by; one row more than asked for tells whether there is another page.
    pub(super) fn sliced<S>(self, key: &str, id: &str, slice: &Slice<S>) -> Self {
        let (compare, direction) = if slice.descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        let mut sql = self;
        if let Some(after) = &slice.after {
            sql = sql.push(&format!(" AND ({key}, {id}) {compare} ("));
            sql = match &after.key {
                CursorKey::Time(time) => sql.value::<Timestamptz, _>(Time(*time)),
                CursorKey::Text(text) => sql.value::<Text, _>(text.clone()),
            };
            sql = sql.push(", ").value::<Uuid, _>(Id(after.id)).push(")");
        }
        sql.push(&format!(
            " ORDER BY {key} {direction}, {id} {direction} LIMIT "
        ))
        .value::<BigInt, _>(i64::from(slice.limit) + 1)
    }

    fn owned(self, organization: OrganizationId) -> Self {
        self.push(" a.organization_id = ")
            .value::<Uuid, _>(Id(organization.0))
    }

    fn labelled(self, organization: OrganizationId, labels: &[String]) -> Self {
        labels.iter().fold(self, |sql, label| {
            sql.push(
                " AND a.id IN (SELECT al.artifact_id FROM labels AS l \
                 JOIN artifact_labels AS al ON al.label_id = l.id WHERE l.organization_id = ",
            )
            .value::<Uuid, _>(Id(organization.0))
            .push(" AND l.name = ")
            .value::<Text, _>(label.clone())
            .push(")")
        })
    }

    /// Every member that is asked for is there and equal.
    fn described(self, metadata: &Json) -> Self {
        if metadata.as_object().is_none_or(BTreeMap::is_empty) {
            return self;
        }
        self.push(" AND NOT EXISTS (SELECT FROM jsonb_each(")
            .value::<Jsonb, _>(Document(metadata.clone()))
            .push(") AS wanted WHERE a.metadata -> wanted.key IS DISTINCT FROM wanted.value)")
    }

    fn of_type(self, media_type: Option<&str>) -> Self {
        let Some(media_type) = media_type else {
            return self;
        };
        self.push(" AND (a.media_type = ")
            .value::<Text, _>(media_type.to_owned())
            .push(" OR starts_with(a.media_type, ")
            .value::<Text, _>(format!("{media_type};"))
            .push("))")
    }

    fn one_of(self, ids: Option<&[ArtifactId]>) -> Self {
        let Some(ids) = ids else {
            return self;
        };
        let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
        self.push(" AND a.id = ANY (")
            .value::<Array<Uuid>, _>(ids)
            .push(")")
    }
}
