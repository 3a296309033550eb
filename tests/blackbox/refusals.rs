//! What a start on Postgres refuses, in one line that says what to do; and many starts at once.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use archesai_conformance::servers::{
    Scratch,
    scratch::{BARE, EMPTY, with_name},
    told,
};

use crate::support::{Backends, Server, fail, program, succeed};

/// Within what time a start is refused, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A program that is to use a database.
struct Start {
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Start {
    fn on(settings: &[(&'static str, &str)]) -> Self {
        let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: settings.iter().map(owned).collect(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .args(arguments)
            .env("ARCHESAI_DATA_DIR", self.folder.path())
            .env("ARCHESAI_PORT", "0")
            .env("ARCHESAI_LOG_FORMAT", "json")
            .env("ARCHESAI_EMBEDDINGS", "off")
            .current_dir(self.folder.path());
        for (name, value) in &self.settings {
            command.env(format!("ARCHESAI_{name}"), value);
        }
        command
    }

    /// How it is refused: every word must be there, and no password.
    #[track_caller]
    fn is_refused(&self, arguments: &[&str], words: &[&str]) {
        let began = Instant::now();
        let refusal = fail(self.command(arguments));
        assert!(began.elapsed() < SOON, "{refusal}");
        assert!(refusal.starts_with("archesai: "), "{refusal}");
        assert!(!refusal.contains("archesai@"), "{refusal}");
        for word in words {
            assert!(refusal.contains(word), "no `{word}` in: {refusal}");
        }
    }
}

/// A database with tables.
fn migrated() -> Scratch {
    let database = Scratch::copy_of_now(EMPTY);
    let owner = ("DATABASE_OWNER_URL", &*database.owner_url());
    let start = Start::on(&[("DATABASE_URL", &database.server_url()), owner]);
    succeed(start.command(&["migrate"]));
    database
}

#[test]
fn a_url_that_is_none_of_postgres_is_refused() {
    for url in ["mysql://u:archesai@h/d", "nonsense", "postgres:///d"] {
        let start = Start::on(&[("DATABASE_URL", url)]);
        start.is_refused(&["serve"], &["the database", "the URL"]);
    }
}

#[test]
fn replicas_that_cannot_be_are_refused() {
    let alone = Start::on(&[("DATABASE_REPLICA_URLS", "postgres://u:archesai@h/d")]);
    alone.is_refused(&["serve"], &["database_replica_urls", "not set"]);
    let database = migrated();
    let nonsense = Start::on(&[
        ("DATABASE_URL", &database.server_url()),
        ("DATABASE_REPLICA_URLS", "postgres://u:archesai@h:99999/d"),
    ]);
    nonsense.is_refused(&["serve"], &["its replica h:99999/d", "the URL"]);
}

#[test]
fn a_database_that_is_not_there_is_refused() {
    let absent = with_name(&told("ARCHESAI_TEST_POSTGRES_URL"), "there_is_none");
    let start = Start::on(&[("DATABASE_URL", &absent)]);
    start.is_refused(&["serve"], &["there_is_none", "does not exist"]);

    let nobody_listens = "postgres://u:archesai@127.0.0.1:1/d";
    let start = Start::on(&[("DATABASE_URL", nobody_listens)]);
    start.is_refused(&["serve"], &["127.0.0.1:1/d", "refused"]);

    let wrong = told("ARCHESAI_TEST_POSTGRES_URL").replace(":archesai@", ":wrong@");
    let start = Start::on(&[("DATABASE_URL", &wrong)]);
    start.is_refused(&["serve"], &["password authentication failed"]);
}

/// Somebody listens, and never answers.
#[test]
fn a_database_that_is_silent_is_refused_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://u:archesai@{address}/d");
    let start = Start::on(&[("DATABASE_URL", &url)]);
    start.is_refused(&["serve"], &["does not answer"]);
    let owner = Start::on(&[("DATABASE_URL", &url), ("DATABASE_OWNER_URL", &url)]);
    owner.is_refused(&["migrate"], &["does not answer"]);
}

#[test]
fn a_role_that_row_level_security_does_not_bind_is_refused() {
    let database = migrated();
    let bypass = Start::on(&[
        ("DATABASE_URL", &database.bypass_url()),
        ("DATABASE_OWNER_URL", &database.owner_url()),
    ]);
    bypass.is_refused(
        &["serve"],
        &["row-level security", "BYPASSRLS", "use a role"],
    );
    let owner = Start::on(&[("DATABASE_URL", &database.owner_url())]);
    owner.is_refused(&["serve"], &["owns the tables", "use another one"]);
}

#[test]
fn a_database_without_pgvector_is_refused() {
    let database = Scratch::copy_of_now(BARE);
    let start = Start::on(&[
        ("DATABASE_URL", &database.server_url()),
        ("DATABASE_OWNER_URL", &database.owner_url()),
    ]);
    for command in ["serve", "migrate"] {
        start.is_refused(&[command], &["pgvector", "CREATE EXTENSION vector"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_refused() {
    let empty = Scratch::copy_of_now(EMPTY);
    let start = Start::on(&[("DATABASE_URL", &empty.server_url())]);
    start.is_refused(&["serve"], &["run archesai migrate"]);
    start.is_refused(&["migrate"], &["set database_owner_url"]);

    let database = migrated();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')";
    database.run(newer).await;
    let start = Start::on(&[("DATABASE_URL", &database.server_url())]);
    start.is_refused(&["serve"], &["99999999999999", "use the newer version"]);
    let both = Start::on(&[
        ("DATABASE_URL", &database.server_url()),
        ("DATABASE_OWNER_URL", &database.owner_url()),
    ]);
    both.is_refused(&["migrate"], &["99999999999999", "use the newer version"]);
}

/// One brings the tables up to date and makes the keys, and the others find them.
#[tokio::test(flavor = "multi_thread")]
async fn eight_that_start_at_once_on_an_empty_database_serve_it_together() {
    let servers = Server::at_once(8, Backends::named("postgres"));
    let ada = servers[0].sign_up("ada").await;
    for server in &servers {
        // What one signed the others trust.
        let there = ada.client.at(&server.url);
        there.get("/v1/users/me").await.expect(200);
        let again = ada.sign_in(&server.guest()).await;
        ada.client
            .bearing(again.client.token())
            .get("/v1/users/me")
            .await
            .expect(200);
    }
    let database = servers[0].database();
    let migrations = "SELECT count(DISTINCT run_on) FROM __diesel_schema_migrations";
    assert_eq!(database.number(migrations).await, 1);
    for keys in ["data_keys", "signing_keys"] {
        let keys = format!("SELECT count(*) FROM {keys}");
        assert_eq!(database.number(&keys).await, 1, "{keys}");
    }
}
