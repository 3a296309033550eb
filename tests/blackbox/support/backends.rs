//! The back ends of a test's server: the embedded ones, or those that `ARCHESAI_TEST_BACKENDS` names
//! for the whole run, such as `postgres,redis,nats,s3`.

use std::{net::SocketAddr, path::Path};

use archesai_conformance::servers::{Scratch, scratch::EMPTY, told};

/// The master key of every server.
const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// What a server stands on besides its folder. What is in it is gone with the test, or is nobody
/// else's.
pub(crate) struct Backends {
    database: Option<Scratch>,
    settings: Vec<(String, String)>,
}

impl Backends {
    /// Those of this run of the tests.
    pub(crate) fn of_this_run() -> Self {
        Self::named(&std::env::var("ARCHESAI_TEST_BACKENDS").unwrap_or_default())
    }

    /// Those of some names, with commas between.
    pub(crate) fn named(named: &str) -> Self {
        let mut backends = Self {
            database: None,
            settings: Vec::new(),
        };
        // Others use the same servers.
        let namespace = uuid::Uuid::now_v7().simple().to_string();
        backends.set("NAMESPACE", namespace.clone());
        // All nodes of a system have the same.
        backends.set("MASTER_KEY", MASTER_KEY.to_owned());
        for name in named.split(',').filter(|name| !name.is_empty()) {
            match name {
                "postgres" => backends.postgres(),
                "replica" => {
                    let url = backends.database().replica_url();
                    backends.set("DATABASE_REPLICA_URLS", url);
                }
                "redis" => backends.set("REDIS_URL", told("ARCHESAI_TEST_REDIS_URL")),
                "nats" => backends.set("NATS_URL", told("ARCHESAI_TEST_NATS_URL")),
                "caches=memory" => backends.set("CACHES", "memory".to_owned()),
                "events=memory" => backends.set("EVENTS", "memory".to_owned()),
                "s3" => backends.s3(&namespace),
                other => panic!("ARCHESAI_TEST_BACKENDS names `{other}`, which is no back end"),
            }
        }
        backends
    }

    /// The same, but for the address of one, which is reached by another.
    pub(crate) fn through(mut self, name: &str, address: &str) -> Self {
        let setting = self.settings.iter_mut().find(|(set, _)| set == name);
        let (_, url) = setting.unwrap();
        let (scheme, rest) = url.split_once("://").unwrap();
        let before = rest.split_once('@').map(|(user, _)| format!("{user}@"));
        let after = rest.split_once('/').map(|(_, path)| format!("/{path}"));
        *url = format!(
            "{scheme}://{}{address}{}",
            before.unwrap_or_default(),
            after.unwrap_or_default()
        );
        self
    }

    /// The same, but for what one setting says.
    pub(crate) fn but(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(set, _)| set != name);
        self.set(name, value.to_owned());
        self
    }

    /// What one setting says.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let setting = self.settings.iter().find(|(set, _)| set == name);
        &setting.unwrap().1
    }

    /// Where one of them is.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let (_, rest) = self.setting(name).split_once("://").unwrap();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// The settings that name them.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (String, String)> {
        self.settings.iter().cloned()
    }

    /// The database, where it is in Postgres.
    pub(crate) fn database(&self) -> &Scratch {
        self.database.as_ref().unwrap()
    }

    /// Takes the database away from a server with this folder, or gives it back.
    pub(crate) fn have_database(&self, folder: &Path, is_there: bool) {
        if let Some(database) = &self.database {
            return database.admit_now(is_there);
        }
        let mut places = [folder.join("archesai.db"), folder.join("elsewhere.db")];
        if is_there {
            places.reverse();
        }
        let [from, to] = places;
        std::fs::rename(from, to).unwrap();
    }

    fn set(&mut self, name: &str, value: String) {
        self.settings.push((name.to_owned(), value));
    }

    fn postgres(&mut self) {
        let database = Scratch::copy_of_now(EMPTY);
        self.set("DATABASE_URL", database.server_url());
        self.set("DATABASE_OWNER_URL", database.owner_url());
        self.database = Some(database);
    }

    fn s3(&mut self, prefix: &str) {
        let bucket = told("ARCHESAI_TEST_S3_BUCKET");
        self.set("STORAGE_URL", format!("s3://{bucket}/{prefix}"));
        self.set("STORAGE_ENDPOINT", told("ARCHESAI_TEST_S3_ENDPOINT"));
        self.set("STORAGE_ACCESS_KEY_ID", told("ARCHESAI_TEST_S3_ACCESS_KEY"));
        self.set(
            "STORAGE_SECRET_ACCESS_KEY",
            told("ARCHESAI_TEST_S3_SECRET_KEY"),
        );
    }
}
