//! How many bytes documents have, which is found without a look at them.

use diesel::{dsl::sql, expression::SqlLiteral, sql_types::BigInt};

/// How many bytes these columns of a row have together; those that are missing have none.
pub(super) fn octets(columns: &[&str]) -> SqlLiteral<BigInt> {
    let columns = columns.iter();
    let columns = columns.map(|column| format!("coalesce(octet_length({column}), 0)"));
    sql(&columns.collect::<Vec<_>>().join(" + "))
}
