//! A database of its own for each test.
//!
//! The migrated tables are made once, as a template, and copied.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use archesai_conformance::servers::{
    self,
    scratch::{BARE, EMPTY, admin_url, with_name},
    told,
};
use archesai_postgres::{Database, LeaseClock, Settings};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

/// A number that nobody else locks: that of whoever makes the template.
const LOCK: i64 = 0x7465_6d70_6c61_7465;

/// A connection of a test's own.
pub(crate) async fn connect(url: &str) -> AsyncPgConnection {
    AsyncPgConnection::establish(url).await.unwrap()
}

/// Something that changes with the migrations.
#[expect(clippy::disallowed_methods, reason = "a test reads the source")]
fn version_of_tables() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("up.sql"))
        .collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read_to_string(file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

/// The name of the template with the migrated tables, made where there is none.
async fn template(admin: &mut AsyncPgConnection) -> String {
    use diesel::{dsl::sql, select, sql_types::Bool};
    use diesel_async::RunQueryDsl as _;

    let name = format!("archesai_test_{:016x}", version_of_tables());
    admin
        .batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))
        .await
        .unwrap();
    let exists =
        format!("EXISTS (SELECT FROM pg_database WHERE datname = '{name}' AND datistemplate)");
    let exists: bool = select(sql::<Bool>(&exists))
        .get_result(admin)
        .await
        .unwrap();
    if !exists {
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE {EMPTY}"),
        ] {
            admin.batch_execute(&sql).await.unwrap();
        }
        let owner = Settings::new(with_name(&admin_url(), &name));
        let server = Settings::new(with_name(&told("ARCHESAI_TEST_POSTGRES_URL"), &name));
        Database::migrate(&owner, &server).await.unwrap();
        admin
            .batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true"))
            .await
            .unwrap();
    }
    admin
        .batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))
        .await
        .unwrap();
    name
}

/// A database that is deleted when it is dropped.
pub(crate) struct Scratch(servers::Scratch);

impl Scratch {
    /// A database with the migrated tables.
    pub(crate) async fn new() -> Self {
        let mut admin = connect(&admin_url()).await;
        let template = template(&mut admin).await;
        Self(servers::Scratch::copy_of(&template).await)
    }

    /// A database with nothing in it but pgvector.
    pub(crate) async fn empty() -> Self {
        Self(servers::Scratch::copy_of(EMPTY).await)
    }

    /// A database with nothing in it at all.
    pub(crate) async fn bare() -> Self {
        Self(servers::Scratch::copy_of(BARE).await)
    }

    /// How its owner reaches it.
    pub(crate) fn owner(&self) -> Settings {
        Settings::new(self.0.owner_url())
    }

    /// How the server reaches it.
    pub(crate) fn server(&self) -> Settings {
        Settings {
            lease_clock: LeaseClock::Caller,
            ..Settings::new(self.0.server_url())
        }
    }

    /// How the server reaches its copy on the replica.
    pub(crate) fn replica_url(&self) -> String {
        self.0.replica_url()
    }

    /// The same, as a role to which row-level security does not apply.
    pub(crate) fn bypass(&self) -> Settings {
        Settings::new(self.0.bypass_url())
    }

    /// Opens it as the server does.
    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.server()).await.unwrap()
    }
}
