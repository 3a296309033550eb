//! A database of its own for each test.
//!
//! The migrated tables are made once, as a template, and copied.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use archesai_conformance::servers::told;
use archesai_postgres::{Database, LeaseClock, Settings};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

/// A number that nobody else locks: that of whoever makes the template.
const LOCK: i64 = 0x7465_6d70_6c61_7465;

/// The URL of the role that owns databases.
pub(crate) fn owner_url() -> String {
    told("ARCHESAI_TEST_POSTGRES_OWNER_URL")
}

/// The URL of the role of the server.
pub(crate) fn server_url() -> String {
    told("ARCHESAI_TEST_POSTGRES_URL")
}

/// The URL of a role to which row-level security does not apply.
pub(crate) fn bypass_url() -> String {
    told("ARCHESAI_TEST_POSTGRES_BYPASS_URL")
}

/// The same URL, of another database.
pub(crate) fn with_name(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}

/// A connection of a test's own.
pub(crate) async fn connect(url: &str) -> AsyncPgConnection {
    AsyncPgConnection::establish(url).await.unwrap()
}

/// A name that no other test has.
fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{number}", std::process::id())
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
            format!("CREATE DATABASE {name} TEMPLATE archesai_template"),
        ] {
            admin.batch_execute(&sql).await.unwrap();
        }
        let owner = Settings::new(with_name(&owner_url(), &name));
        let server = Settings::new(with_name(&server_url(), &name));
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
pub(crate) struct Scratch {
    name: String,
}

impl Scratch {
    /// A database with the migrated tables.
    pub(crate) async fn new() -> Self {
        let mut admin = connect(&owner_url()).await;
        let template = template(&mut admin).await;
        Self::copy(&mut admin, &template).await
    }

    /// A database with nothing in it but pgvector.
    pub(crate) async fn empty() -> Self {
        let mut admin = connect(&owner_url()).await;
        Self::copy(&mut admin, "archesai_template").await
    }

    /// A database with nothing in it at all.
    pub(crate) async fn bare() -> Self {
        let mut admin = connect(&owner_url()).await;
        Self::copy(&mut admin, "template0").await
    }

    async fn copy(admin: &mut AsyncPgConnection, template: &str) -> Self {
        let name = fresh_name();
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        ] {
            admin.batch_execute(&sql).await.unwrap();
        }
        Self { name }
    }

    /// How its owner reaches it.
    pub(crate) fn owner(&self) -> Settings {
        Settings::new(with_name(&owner_url(), &self.name))
    }

    /// How the server reaches it.
    pub(crate) fn server(&self) -> Settings {
        Settings {
            lease_clock: LeaseClock::Caller,
            ..Settings::new(with_name(&server_url(), &self.name))
        }
    }

    /// The same, as a role to which row-level security does not apply.
    pub(crate) fn bypass(&self) -> Settings {
        Settings::new(with_name(&bypass_url(), &self.name))
    }

    /// Opens it as the server does.
    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.server()).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        // A destructor cannot wait for a future, but for a thread that can.
        let drop = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let mut admin = connect(&owner_url()).await;
                admin.batch_execute(&sql).await
            })
        });
        if let Ok(Err(error)) = drop.join() {
            eprintln!("{} is left behind: {error}", self.name);
        }
    }
}
