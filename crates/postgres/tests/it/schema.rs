//! `schema.rs` says what the migrated database does.

use std::{collections::BTreeMap, fs, path::Path};

use diesel::{
    QueryableByName, sql_query,
    sql_types::{Bool, Text},
};
use diesel_async::RunQueryDsl as _;

use crate::scratch::{Scratch, connect};

/// Type of every column of every table.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_required: bool,
}

/// What the database says. Words and vectors are no types of diesel's, and read by SQL only.
async fn migrated(scratch: &Scratch) -> Tables {
    let mut owner = connect(&scratch.owner().url).await;
    let columns: Vec<Column> = sql_query(
        "SELECT c.relname AS table_name, a.attname AS name, \
             format_type(a.atttypid, a.atttypmod) AS kind, a.attnotnull AS is_required \
         FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid \
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace \
             AND a.attnum > 0 AND NOT a.attisdropped AND c.relname !~ '^__diesel'",
    )
    .load(&mut owner)
    .await
    .unwrap();
    let mut tables = Tables::new();
    for column in columns {
        let kind = match column.kind.as_str() {
            "bigint" => "BigInt",
            "boolean" => "Bool",
            "bytea" => "Binary",
            "integer" => "Integer",
            "json" => "Json",
            "jsonb" => "Jsonb",
            "text" => "Text",
            "text[]" => "Array<Text>",
            "timestamp with time zone" => "Timestamptz",
            "uuid" => "Uuid",
            "tsvector" | "halfvec(1536)" => continue,
            other => panic!("{other}"),
        };
        let kind = if column.is_required {
            kind.to_owned()
        } else {
            format!("Nullable<{kind}>")
        };
        let table = tables.entry(column.table_name).or_default();
        table.insert(column.name, kind);
    }
    tables
}

/// What `schema.rs` says.
#[expect(clippy::disallowed_methods, reason = "a test reads the source")]
fn declared() -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema.rs");
    let text = fs::read_to_string(path).unwrap();
    let mut tables = Tables::new();
    for table in text.split("diesel::table! {").skip(1) {
        let (name, rest) = table.split_once('(').unwrap();
        let (_, body) = rest.split_once(") {").unwrap();
        let (body, _) = body.split_once('}').unwrap();
        let columns = body.lines().filter_map(|line| {
            let (name, kind) = line.trim().trim_end_matches(',').split_once(" -> ")?;
            Some((name.to_owned(), kind.to_owned()))
        });
        tables.insert(name.trim().to_owned(), columns.collect());
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_that_of_the_migrated_database() {
    let scratch = Scratch::new().await;
    let declared = declared();
    assert!(declared.len() > 20);
    assert_eq!(declared, migrated(&scratch).await);
}
