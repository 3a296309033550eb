//! Statements that stay prepared.
//!
//! What diesel takes for different every time, such as updates and SQL in texts, it prepares anew
//! each time: one more round trip. The statements here are kept under their text.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, BoxedSqlQuery, Query, QueryFragment, QueryId, SqlQuery},
    result::QueryResult,
    serialize::ToSql,
    sql_query,
    sql_types::{HasSqlType, Untyped},
};

/// A statement of diesel's that has the same text whenever it has the same values to set.
pub(crate) struct Prepared<Q>(pub(crate) Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

/// A statement as text, with the values of `$1`, `$2` and so on.
pub struct Sql {
    query: BoxedSqlQuery<'static, Pg, SqlQuery>,
    bound: usize,
}

impl Sql {
    /// A statement, which must come from the source of this program.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            query: sql_query(text).into_boxed(),
            bound: 0,
        }
    }

    /// Binds the next value.
    pub(crate) fn bind<T, V>(self, value: V) -> Self
    where
        Pg: HasSqlType<T>,
        V: ToSql<T, Pg> + Send + 'static,
        T: Send + 'static,
    {
        Self {
            query: self.query.bind::<T, V>(value),
            bound: self.bound + 1,
        }
    }

    /// Adds to the text, from the source of this program as well.
    pub(crate) fn push(self, text: &str) -> Self {
        Self {
            query: self.query.sql(text),
            ..self
        }
    }

    /// Adds the next value to the text and binds it.
    pub(crate) fn value<T, V>(self, value: V) -> Self
    where
        Pg: HasSqlType<T>,
        V: ToSql<T, Pg> + Send + 'static,
        T: Send + 'static,
    {
        let place = format!("${}", self.bound + 1);
        self.push(&place).bind::<T, V>(value)
    }
}

impl QueryFragment<Pg> for Sql {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl QueryId for Sql {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sql {
    type SqlType = Untyped;
}
