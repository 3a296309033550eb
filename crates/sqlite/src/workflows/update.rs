//! Updates that stay prepared.

use diesel::{
    AsChangeset, QuerySource, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sqlite::{Sqlite, SqliteConnection},
};

/// An update whose statement is kept under its text. The updates of diesel are
/// prepared anew each time, which takes longer than to execute most of them.
pub(super) struct Update<F, V, P> {
    table: F,
    values: V,
    filter: P,
}

/// Sets values in the rows of a table that pass a filter.
pub(super) fn update_where<T, V, P>(
    table: &T,
    values: V,
    filter: P,
) -> Update<T::FromClause, V::Changeset, P>
where
    T: QuerySource,
    V: AsChangeset<Target = T>,
{
    Update {
        table: table.from_clause(),
        values: values.as_changeset(),
        filter,
    }
}

impl<F, V, P> QueryFragment<Sqlite> for Update<F, V, P>
where
    F: QueryFragment<Sqlite>,
    V: QueryFragment<Sqlite>,
    P: QueryFragment<Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        self.table.walk_ast(out.reborrow())?;
        out.push_sql(" SET ");
        self.values.walk_ast(out.reborrow())?;
        out.push_sql(" WHERE ");
        self.filter.walk_ast(out.reborrow())
    }
}

impl<F, V, P> QueryId for Update<F, V, P> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<F, V, P> RunQueryDsl<SqliteConnection> for Update<F, V, P> {}
