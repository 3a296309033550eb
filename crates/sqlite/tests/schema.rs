//! The tables as diesel sees them are the tables that the migrations make.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads its own sources and fails loudly"
)]

use std::{collections::BTreeMap, env, path::Path};

use archesai_sqlite::Database;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    sql_types::{Bool, Integer, Text},
};

/// Name, type and whether it may be null, of every column of every table.
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
    required: bool,
    #[diesel(sql_type = Integer)]
    key: i32,
}

/// What the database says. The index for words is no table of diesel's.
fn migrated(path: &Path) -> Tables {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT t.name AS table_name, c.name, c.type AS kind, c.\"notnull\" AS required, \
         c.pk AS key FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' \
         AND t.name NOT LIKE 'chunks_fts%' AND t.name NOT LIKE '__diesel%'",
    )
    .load(&mut connection)
    .unwrap();
    let mut tables = Tables::new();
    for column in columns {
        let kind = match column.kind.as_str() {
            "BLOB" => "Binary",
            "TEXT" => "Text",
            "INTEGER" => "BigInt",
            "REAL" => "Double",
            other => panic!("{other}"),
        };
        let kind = if column.required || column.key > 0 {
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
fn declared() -> Tables {
    let folder = env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let text = std::fs::read_to_string(Path::new(&folder).join("src/schema.rs")).unwrap();
    let mut tables = Tables::new();
    for table in text.split("diesel::table! {").skip(1) {
        let name = table.split('(').next().unwrap().trim().to_owned();
        let body = table
            .split(") {")
            .nth(1)
            .unwrap()
            .split('}')
            .next()
            .unwrap();
        let columns = body.lines().filter_map(|line| {
            let (name, kind) = line.trim().trim_end_matches(',').split_once(" -> ")?;
            Some((name.to_owned(), kind.to_owned()))
        });
        tables.insert(name, columns.collect());
    }
    tables
}

/// Whole numbers of other widths, and truth, are the same to the database.
fn as_kept(mut tables: Tables) -> Tables {
    for kind in tables.values_mut().flat_map(BTreeMap::values_mut) {
        for whole in ["Integer", "SmallInt", "Bool"] {
            *kind = kind.replace(whole, "BigInt");
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_that_of_the_migrated_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archesai.db");
    Database::open(&path, 1).await.unwrap();
    let declared = as_kept(declared());
    assert!(declared.len() > 15);
    assert_eq!(declared, migrated(&path));
}
