//! Conditions on artifacts, as SQL whose every value is bound.

use archesai_content::{
    ArtifactFilter, ArtifactId, CursorKey, Json, OrganizationId, SearchFilter, Slice,
};
use diesel::{
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_query,
    sql_types::{BigInt, Binary, Text},
    sqlite::Sqlite,
};

use crate::types::{Id, Time};

/// A query whose number of bound values is known only when it runs.
pub(super) type Query = BoxedSqlQuery<'static, Sqlite, SqlQuery>;

/// SQL with the values for its placeholders.
#[derive(Default)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

enum Value {
    Id(Id),
    Integer(i64),
    Text(String),
    Time(Time),
}

impl Sql {
    pub(super) fn new(text: &str) -> Self {
        Self::default().push(text)
    }

    /// Appends SQL, which must come from the source of this program.
    pub(super) fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Binds the next placeholder.
    pub(super) fn id(mut self, id: u128) -> Self {
        self.values.push(Value::Id(Id(id)));
        self
    }

    /// Binds the next placeholder.
    pub(super) fn integer(mut self, value: impl Into<i64>) -> Self {
        self.values.push(Value::Integer(value.into()));
        self
    }

    /// Binds the next placeholder.
    pub(super) fn text(mut self, value: impl Into<String>) -> Self {
        self.values.push(Value::Text(value.into()));
        self
    }

    /// Makes a query of it.
    pub(super) fn query(self) -> Query {
        let query = sql_query(self.text).into_boxed();
        self.values
            .into_iter()
            .fold(query, |query, value| match value {
                Value::Id(id) => query.bind::<Binary, _>(id),
                Value::Integer(value) => query.bind::<BigInt, _>(value),
                Value::Text(value) => query.bind::<Text, _>(value),
                Value::Time(time) => query.bind::<BigInt, _>(time),
            })
    }

    /// Adds the conditions of a list to a query of artifacts as `a`.
    pub(super) fn listed(mut self, organization: OrganizationId, filter: &ArtifactFilter) -> Self {
        self = self
            .owned(organization)
            .labelled(organization, &filter.labels)
            .described(&filter.metadata)
            .of_type(filter.media_type.as_deref());
        if let Some(name) = &filter.name {
            self = self
                .push(" AND instr(lower(a.name), lower(?)) > 0")
                .text(name);
        }
        if let Some(status) = filter.index_status {
            self = self.push(" AND a.index_status = ?").text(status.as_str());
        }
        self
    }

    /// Adds the conditions of a search to a query of artifacts as `a`.
    pub(super) fn searched(self, organization: OrganizationId, filter: &SearchFilter) -> Self {
        self.owned(organization)
            .labelled(organization, &filter.labels)
            .described(&filter.metadata)
            .of_type(filter.media_type.as_deref())
            .one_of(filter.artifact_ids.as_deref())
    }

    /// Adds the position, order and limit of a slice. `key` and `id` name the
    /// columns that are sorted by; one row more than asked for tells whether
    /// there is another page.
    pub(super) fn sliced<S>(mut self, key: &str, id: &str, slice: &Slice<S>) -> Self {
        let (compare, direction) = if slice.descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        if let Some(after) = &slice.after {
            self = self.push(&format!(" AND ({key}, {id}) {compare} (?, ?)"));
            self.values.push(match &after.key {
                CursorKey::Time(time) => Value::Time(Time(*time)),
                CursorKey::Text(text) => Value::Text(text.clone()),
            });
            self = self.id(after.id);
        }
        self.push(&format!(
            " ORDER BY {key} {direction}, {id} {direction} LIMIT ?"
        ))
        .integer(i64::from(slice.limit) + 1)
    }

    fn owned(self, organization: OrganizationId) -> Self {
        self.push(" a.organization_id = ?").id(organization.0)
    }

    fn labelled(self, organization: OrganizationId, labels: &[String]) -> Self {
        labels.iter().fold(self, |sql, label| {
            sql.push(
                " AND a.id IN (SELECT al.artifact_id FROM labels AS l \
                 JOIN artifact_labels AS al ON al.label_id = l.id \
                 WHERE l.organization_id = ? AND l.name = ?)",
            )
            .id(organization.0)
            .text(label)
        })
    }

    /// Members are equal if their types and values are: documents are written
    /// with sorted names and without white space, so equal ones have equal texts.
    fn described(self, metadata: &Json) -> Self {
        let Some(members) = metadata.as_object().filter(|members| !members.is_empty()) else {
            return self;
        };
        self.push(
            " AND (SELECT count(*) FROM json_each(?) AS wanted \
             JOIN json_each(a.metadata) AS found ON found.key = wanted.key \
             AND found.type = wanted.type AND found.value IS wanted.value) = ?",
        )
        .text(metadata.to_string())
        .integer(i64::try_from(members.len()).unwrap_or(i64::MAX))
    }

    fn of_type(self, media_type: Option<&str>) -> Self {
        let Some(media_type) = media_type else {
            return self;
        };
        self.push(" AND (a.media_type = ? OR substr(a.media_type, 1, length(?) + 1) = ? || ';')")
            .text(media_type)
            .text(media_type)
            .text(media_type)
    }

    fn one_of(self, ids: Option<&[ArtifactId]>) -> Self {
        let Some(ids) = ids else {
            return self;
        };
        let mut sql = self.push(" AND a.id IN (");
        for (at, id) in ids.iter().enumerate() {
            sql = sql.push(if at == 0 { "?" } else { ", ?" }).id(id.0);
        }
        sql.push(")")
    }
}
