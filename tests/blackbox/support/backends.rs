//! The back ends of a test's server: the embedded ones, or those that `ARCHESAI_TEST_BACKENDS` names
//! for the whole run, such as `postgres,redis,nats`.

use archesai_conformance::servers::{Scratch, scratch::EMPTY};

/// What a server stands on besides its folder. It is gone with the test.
#[derive(Default)]
pub(crate) struct Backends {
    database: Option<Scratch>,
}

impl Backends {
    /// Those of this run of the tests.
    pub(crate) fn of_this_run() -> Self {
        let named = std::env::var("ARCHESAI_TEST_BACKENDS").unwrap_or_default();
        let mut backends = Self::default();
        for name in named.split(',').filter(|name| !name.is_empty()) {
            match name {
                "postgres" => backends.database = Some(Scratch::copy_of_now(EMPTY)),
                other => panic!("ARCHESAI_TEST_BACKENDS names `{other}`, which is no back end"),
            }
        }
        backends
    }

    /// The settings that name them.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        if let Some(database) = &self.database {
            set("DATABASE_URL", database.server_url());
            set("DATABASE_OWNER_URL", database.owner_url());
        }
        settings
    }
}
