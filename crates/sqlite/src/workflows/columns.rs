//! How values of workflows are kept in columns.

use std::{
    error::Error,
    fmt::{Debug, Display},
    str::FromStr,
};

use archesai_workflows::{Error as WorkflowsError, Result};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use serde::Serialize;

/// A value of an enumeration, as the contract writes it.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(super) struct Word<T: Debug>(pub(super) T);

impl<T: Debug + Display> ToSql<Text, Sqlite> for Word<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl<T: Debug + FromStr<Err: Error + Send + Sync + 'static>> FromSql<Text, Sqlite> for Word<T> {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text: String = FromSql::<Text, Sqlite>::from_sql(value)?;
        Ok(Self(text.parse()?))
    }
}

/// A count, which SQL keeps as an integer of 64 bits with a sign.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
pub(super) struct Count<T: Debug>(pub(super) T);

impl<T> ToSql<BigInt, Sqlite> for Count<T>
where
    T: Copy + Debug + TryInto<i64, Error: Error + Send + Sync + 'static>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.try_into()?);
        Ok(IsNull::No)
    }
}

impl<T> FromSql<BigInt, Sqlite> for Count<T>
where
    T: Debug + TryFrom<i64, Error: Error + Send + Sync + 'static>,
{
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let count: i64 = FromSql::<BigInt, Sqlite>::from_sql(value)?;
        Ok(Self(count.try_into()?))
    }
}

/// A document as it is kept: compact JSON.
pub(super) fn json(document: &impl Serialize) -> Result<String> {
    serde_json::to_string(document).map_err(WorkflowsError::unavailable)
}

/// A document as it is kept, if there is one.
pub(super) fn json_of(document: Option<&impl Serialize>) -> Result<Option<String>> {
    document.map(json).transpose()
}
