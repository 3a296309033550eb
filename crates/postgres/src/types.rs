//! How the domains' values are kept: ids as UUIDs, times to the microsecond, documents as JSON,
//! words of enumerations as text.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{Debug, Display},
    io::Write as _,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{BigInt, Binary, Integer, Json, Jsonb, Text, Timestamptz, Uuid},
};
use serde::{Serialize, de::DeserializeOwned};

/// The beginning of time for Postgres, 2000-01-01, in microseconds since the Unix epoch.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The first byte of a `jsonb` on the wire: the version of what follows.
const JSONB_VERSION: u8 = 1;

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Uuid)]
pub(crate) struct Id(pub(crate) u128);

impl ToSql<Uuid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Uuid, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(u128::from_be_bytes(value.as_bytes().try_into()?)))
    }
}

/// A SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl ToSql<Binary, Pg> for Digest {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Pg> for Digest {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(value.as_bytes().try_into()?))
    }
}

/// A time, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamptz)]
pub(crate) struct Time(pub(crate) SystemTime);

impl ToSql<Timestamptz, Pg> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let since = self.0.duration_since(UNIX_EPOCH)?;
        let micros = i64::try_from(since.as_micros())? - POSTGRES_EPOCH;
        ToSql::<BigInt, Pg>::to_sql(&micros, &mut out.reborrow())
    }
}

impl FromSql<Timestamptz, Pg> for Time {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros: i64 = FromSql::<BigInt, Pg>::from_sql(value)?;
        let micros = micros.checked_add(POSTGRES_EPOCH).ok_or("no such time")?;
        let apart = Duration::from_micros(micros.unsigned_abs());
        Ok(Self(if micros < 0 {
            UNIX_EPOCH - apart
        } else {
            UNIX_EPOCH + apart
        }))
    }
}

/// A document. Kept as `json` it is given back as it was put; as `jsonb` the database can look
/// into it.
#[derive(Clone, Debug, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Json)]
#[diesel(sql_type = Jsonb)]
pub(crate) struct Document<T: Debug>(pub(crate) T);

impl<T: Serialize + Debug> ToSql<Json, Pg> for Document<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}

impl<T: Serialize + Debug> ToSql<Jsonb, Pg> for Document<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}

impl<T: DeserializeOwned + Debug> FromSql<Json, Pg> for Document<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_slice(value.as_bytes())?))
    }
}

impl<T: DeserializeOwned + Debug> FromSql<Jsonb, Pg> for Document<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let text = value.as_bytes().strip_prefix(&[JSONB_VERSION]);
        let text = text.ok_or("an unknown version of jsonb")?;
        Ok(Self(serde_json::from_slice(text)?))
    }
}

/// The text of a document.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Json)]
pub(crate) struct JsonText(pub(crate) String);

impl JsonText {
    /// Writes a document down.
    pub(crate) fn of(document: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::to_string(document).map(Self)
    }

    /// The text, which is empty afterwards.
    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }
}

impl ToSql<Json, Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Json, Pg> for JsonText {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(str::from_utf8(value.as_bytes())?.to_owned()))
    }
}

/// A value of an enumeration, as the contract writes it.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(crate) struct Word<T: Debug>(pub(crate) T);

impl<T: Debug + Display> ToSql<Text, Pg> for Word<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{}", self.0)?;
        Ok(IsNull::No)
    }
}

impl<T> FromSql<Text, Pg> for Word<T>
where
    T: Debug + FromStr<Err: Error + Send + Sync + 'static>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(str::from_utf8(value.as_bytes())?.parse()?))
    }
}

/// A count, which SQL keeps as an integer with a sign.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
#[diesel(sql_type = Integer)]
pub(crate) struct Count<T: Debug>(pub(crate) T);

impl<T> ToSql<BigInt, Pg> for Count<T>
where
    T: Copy + Debug + TryInto<i64, Error: Error + Send + Sync + 'static>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let count: i64 = self.0.try_into()?;
        ToSql::<BigInt, Pg>::to_sql(&count, &mut out.reborrow())
    }
}

impl<T> ToSql<Integer, Pg> for Count<T>
where
    T: Copy + Debug + TryInto<i32, Error: Error + Send + Sync + 'static>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let count: i32 = self.0.try_into()?;
        ToSql::<Integer, Pg>::to_sql(&count, &mut out.reborrow())
    }
}

impl<T> FromSql<BigInt, Pg> for Count<T>
where
    T: Debug + TryFrom<i64, Error: Error + Send + Sync + 'static>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let count: i64 = FromSql::<BigInt, Pg>::from_sql(value)?;
        Ok(Self(count.try_into()?))
    }
}

impl<T> FromSql<Integer, Pg> for Count<T>
where
    T: Debug + TryFrom<i32, Error: Error + Send + Sync + 'static>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let count: i32 = FromSql::<Integer, Pg>::from_sql(value)?;
        Ok(Self(count.try_into()?))
    }
}

/// A text that Postgres can keep: it has no place for the character NUL, which says nothing to a
/// reader either.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', " ").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::storable;

    #[test]
    fn a_nul_becomes_a_space_of_the_same_length() {
        assert_eq!(storable("a\0b"), "a b");
        assert_eq!(storable("é and 🦀"), "é and 🦀");
    }
}
