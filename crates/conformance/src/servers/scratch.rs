//! A Postgres database of its own for each test.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use tokio_postgres::{Client, NoTls};

use super::told;

/// The database that the servers begin with: nothing in it but pgvector.
pub const EMPTY: &str = "archesai_template";

/// The database that Postgres begins with: nothing in it at all.
pub const BARE: &str = "template0";

/// A database that is deleted when it is dropped.
pub struct Scratch {
    name: String,
}

impl Scratch {
    /// A copy of a template, to which nobody may be connected.
    pub async fn copy_of(template: &str) -> Self {
        let name = fresh_name();
        let admin = connect(&admin_url()).await;
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        ] {
            admin.batch_execute(&sql).await.unwrap();
        }
        Self { name }
    }

    /// As [`copy_of`](Self::copy_of), for whoever cannot wait for a future.
    pub fn copy_of_now(template: &'static str) -> Self {
        elsewhere(Self::copy_of(template))
    }

    /// Lets nobody connect any more, or again; whoever is connected is cut off.
    pub fn admit_now(&self, admits: bool) {
        let name = self.name.clone();
        elsewhere(async move {
            let admin = connect(&admin_url()).await;
            let sql = format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS {admits}; \
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            );
            admin.batch_execute(&sql).await.unwrap();
        });
    }

    /// Runs statements as its owner.
    pub async fn run(&self, statements: &str) {
        let owner = connect(&self.owner_url()).await;
        owner.batch_execute(statements).await.unwrap();
    }

    /// The number that a query of its owner's answers.
    pub async fn number(&self, query: &str) -> i64 {
        let owner = connect(&self.owner_url()).await;
        owner.query_one(query, &[]).await.unwrap().get(0)
    }

    /// How its owner reaches it.
    pub fn owner_url(&self) -> String {
        with_name(&admin_url(), &self.name)
    }

    /// How the role of the server reaches it.
    pub fn server_url(&self) -> String {
        with_name(&told("ARCHESAI_TEST_POSTGRES_URL"), &self.name)
    }

    /// How the role of the server reaches its copy on the replica.
    pub fn replica_url(&self) -> String {
        with_name(&told("ARCHESAI_TEST_POSTGRES_REPLICA_URL"), &self.name)
    }

    /// How a role reaches it to which row-level security does not apply.
    pub fn bypass_url(&self) -> String {
        with_name(&told("ARCHESAI_TEST_POSTGRES_BYPASS_URL"), &self.name)
    }
}

/// The URL of the role that owns databases.
pub fn admin_url() -> String {
    told("ARCHESAI_TEST_POSTGRES_OWNER_URL")
}

/// The same URL, of another database.
pub fn with_name(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}

/// A name that no other test has.
fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{number}", std::process::id())
}

/// A connection of a test's own.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits for a future on a thread of its own.
pub(super) fn elsewhere<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let work = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    });
    work.join().unwrap()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropped = elsewhere(async move {
            let admin = connect(&admin_url()).await;
            admin.batch_execute(&sql).await
        });
        if let Err(error) = dropped {
            eprintln!("{} is left behind: {error}", self.name);
        }
    }
}
