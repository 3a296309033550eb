//! The configuration: flags over `ARCHESAI_*` over `archesai.toml` over defaults.
//!
//! `settings` lists what can be set, `effective` finds out what is set and where,
//! and [`Config`] is the outcome, typed.

mod effective;
mod settings;
mod values;

use std::{net::IpAddr, path::PathBuf, time::Duration};

pub use effective::{Effective, Environment, InvalidConfig, Source, process_environment, variable};
pub use settings::{SETTINGS, Setting};
use values::Reader;

/// Where embeddings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embeddings {
    /// From the local model, if it is there.
    Local,
    /// From an OpenAI-compatible service.
    OpenAi,
    /// From nowhere: keyword search only.
    Off,
}

/// Where caches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePlace {
    /// The first of the others that there is.
    Auto,
    /// In Redis.
    Redis,
    /// In the memory of each process.
    Memory,
}

/// What carries events between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The first of the others that is configured, in their order.
    Auto,
    /// NATS.
    Nats,
    /// Redis.
    Redis,
    /// The database.
    Postgres,
    /// Nothing: there is one node.
    Memory,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one JSON object a line.
    Json,
}

/// An OpenAI-compatible service.
#[derive(Clone)]
pub struct Provider {
    /// Its base URL, such as `https://api.example.com/v1`.
    pub url: String,
    /// The model to ask for.
    pub model: String,
    /// The key to send, if it wants one.
    pub api_key: Option<String>,
}

/// The configuration in force.
#[derive(Clone)]
#[expect(
    missing_docs,
    reason = "each field is the setting of that name, which says what it is"
)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub database_owner_url: Option<String>,
    pub database_replica_urls: Vec<String>,
    pub database_replica_max_lag: Duration,
    pub database_max_connections: usize,
    pub database_idle_connections: usize,
    pub database_connection_lifetime: Duration,
    pub root_certificates: Option<PathBuf>,
    pub redis_url: Option<String>,
    pub caches: CachePlace,
    pub nats_url: Option<String>,
    pub namespace: String,
    pub events: Carrier,
    pub storage_url: Option<String>,
    pub storage_endpoint: Option<String>,
    pub storage_region: String,
    pub storage_access_key_id: String,
    pub storage_secret_access_key: Option<String>,
    pub model_dir: PathBuf,
    pub log: String,
    pub log_format: LogFormat,
    pub metrics_token: Option<String>,
    pub master_key: Option<String>,
    pub previous_master_keys: Vec<String>,
    pub embeddings: Embeddings,
    pub embedding: Provider,
    pub embedding_dimensions: u32,
    pub llm: Provider,
    pub access_token_ttl: Duration,
    pub session_ttl: Duration,
    pub session_max_ttl: Duration,
    pub invitation_ttl: Duration,
    pub cache_ttl: Duration,
    pub cache_entries: u64,
    pub max_json_bytes: u64,
    pub max_upload_bytes: u64,
    pub body_timeout: Duration,
    pub idle_timeout: Duration,
    pub guest_requests_per_minute: u32,
    pub caller_requests_per_minute: u32,
    pub failed_logins_per_quarter_hour: u32,
    pub max_requests: usize,
    pub idempotency_ttl: Duration,
    pub event_retention: Option<Duration>,
    pub trust_forwarded: bool,
    pub http_workers: usize,
    pub database_readers: usize,
    pub parallel_password_hashes: usize,
    pub worker_concurrency: usize,
    pub step_lease: Duration,
    pub step_timeout: Duration,
    pub poll_interval: Duration,
    pub retry_scale: f64,
    pub shutdown_delay: Duration,
    pub shutdown_timeout: Duration,
    pub egress_allow: Vec<String>,
    /// This program, where it is what runs: documents that could take any amount of memory are
    /// read by processes of it.
    pub program: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration out of what is set.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] naming the first value that is not what it must be.
    pub fn read(effective: &Effective) -> Result<Self, InvalidConfig> {
        let read = Reader(effective);
        let provider = |url, model, api_key| -> Result<Provider, InvalidConfig> {
            Ok(Provider {
                url: read.url(url)?,
                model: read.text(model),
                api_key: read.optional(api_key),
            })
        };
        Ok(Self {
            host: read.parsed("host", "must be an IP address such as 127.0.0.1 or ::1")?,
            port: read.parsed("port", "must be a port number from 0 to 65535")?,
            data_dir: PathBuf::from(read.text("data_dir")),
            database_url: read.optional("database_url"),
            database_owner_url: read.optional("database_owner_url"),
            database_replica_urls: read.list("database_replica_urls"),
            database_replica_max_lag: read.duration("database_replica_max_lag")?,
            database_max_connections: read.count("database_max_connections", 1..=10_000)?,
            database_idle_connections: read.count("database_idle_connections", 0..=10_000)?,
            database_connection_lifetime: read.duration("database_connection_lifetime")?,
            root_certificates: read.optional("root_certificates").map(PathBuf::from),
            redis_url: read.optional("redis_url"),
            caches: read.choice(
                "caches",
                &[
                    ("auto", CachePlace::Auto),
                    ("redis", CachePlace::Redis),
                    ("memory", CachePlace::Memory),
                ],
            )?,
            nats_url: read.optional("nats_url"),
            namespace: read.text("namespace"),
            events: read.choice(
                "events",
                &[
                    ("auto", Carrier::Auto),
                    ("nats", Carrier::Nats),
                    ("redis", Carrier::Redis),
                    ("postgres", Carrier::Postgres),
                    ("memory", Carrier::Memory),
                ],
            )?,
            storage_url: read.optional("storage_url"),
            storage_endpoint: read.optional("storage_endpoint"),
            storage_region: read.text("storage_region"),
            storage_access_key_id: read.text("storage_access_key_id"),
            storage_secret_access_key: read.optional("storage_secret_access_key"),
            model_dir: PathBuf::from(read.text("model_dir")),
            log: read.text("log"),
            log_format: read.choice(
                "log_format",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            metrics_token: read.optional("metrics_token"),
            master_key: read.optional("master_key"),
            previous_master_keys: read.list("previous_master_keys"),
            embeddings: read.choice(
                "embeddings",
                &[
                    ("local", Embeddings::Local),
                    ("openai", Embeddings::OpenAi),
                    ("off", Embeddings::Off),
                ],
            )?,
            embedding: provider("embedding_url", "embedding_model", "embedding_api_key")?,
            embedding_dimensions: read.count("embedding_dimensions", 1..=65_536)?,
            llm: provider("llm_url", "llm_model", "llm_api_key")?,
            access_token_ttl: read.duration("access_token_ttl")?,
            session_ttl: read.duration("session_ttl")?,
            session_max_ttl: read.duration("session_max_ttl")?,
            invitation_ttl: read.duration("invitation_ttl")?,
            cache_ttl: read.duration("cache_ttl")?,
            cache_entries: read.count("cache_entries", 0..=1_000_000_000)?,
            max_json_bytes: read.bytes("max_json_bytes")?,
            max_upload_bytes: read.bytes("max_upload_bytes")?,
            body_timeout: read.duration("body_timeout")?,
            idle_timeout: read.duration("idle_timeout")?,
            guest_requests_per_minute: read
                .count("guest_requests_per_minute", 1..=1_000_000_000)?,
            caller_requests_per_minute: read
                .count("caller_requests_per_minute", 1..=1_000_000_000)?,
            failed_logins_per_quarter_hour: read
                .count("failed_logins_per_quarter_hour", 1..=1_000_000)?,
            max_requests: read.count("max_requests", 1..=1_000_000)?,
            idempotency_ttl: read.duration("idempotency_ttl")?,
            event_retention: read.optional_duration("event_retention")?,
            trust_forwarded: read.choice("trust_forwarded", &[("true", true), ("false", false)])?,
            http_workers: read.count("http_workers", 1..=1_024)?,
            database_readers: read.count("database_readers", 1..=1_024)?,
            parallel_password_hashes: read.count("parallel_password_hashes", 1..=1_024)?,
            worker_concurrency: read.count("worker_concurrency", 1..=10_000)?,
            step_lease: read.duration("step_lease")?,
            step_timeout: read.duration("step_timeout")?,
            poll_interval: read.duration("poll_interval")?,
            retry_scale: read.factor("retry_scale", 0.0..=1_000.0)?,
            shutdown_delay: read.duration("shutdown_delay")?,
            shutdown_timeout: read.duration("shutdown_timeout")?,
            egress_allow: read.list("egress_allow"),
            program: None,
        })
    }
}

#[cfg(test)]
impl Config {
    /// The defaults but for some settings, as if nothing were set on this machine.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let flags = crate::cli::command().get_matches_from(["archesai", "serve"]);
        let flags = flags.subcommand_matches("serve").unwrap();
        let set = |(name, value): &(&str, &str)| {
            let name = format!("ARCHESAI_{}", name.to_uppercase());
            (name, (*value).to_owned())
        };
        let environment = settings.iter().map(set).collect();
        let effective = Effective::find(flags, &environment, None).unwrap();
        Self::read(&effective).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgMatches;

    use super::{Config, Effective, InvalidConfig};
    use crate::cli::command;

    fn flags(arguments: &[&str]) -> ArgMatches {
        let line = ["archesai", "serve"].iter().chain(arguments);
        let matches = command().get_matches_from(line);
        matches.subcommand_matches("serve").unwrap().clone()
    }

    fn read(
        arguments: &[&str],
        environment: &[(&str, &str)],
        file: &str,
    ) -> Result<(Config, String), InvalidConfig> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archesai.toml");
        write(&path, file);
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(text).collect();
        let effective = Effective::find(&flags(arguments), &environment, Some(&path))?;
        Ok((Config::read(&effective)?, effective.table()))
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes its own file")]
    fn write(path: &std::path::Path, text: &str) {
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn flags_go_before_the_environment_before_the_file_before_defaults() {
        let environment = [("ARCHESAI_PORT", "2"), ("ARCHESAI_CACHE_TTL", "2m")];
        let file = "port = 3\ncache_ttl = \"3m\"\nsession_ttl = \"3d\"\n";
        let (config, table) = read(&["--port", "1"], &environment, file).unwrap();
        assert_eq!(config.port, 1);
        assert_eq!(config.cache_ttl.as_secs(), 120);
        assert_eq!(config.session_ttl.as_secs(), 3 * 86_400);
        assert_eq!(config.idempotency_ttl.as_secs(), 86_400);
        let source = |name: &str| {
            let row = table.lines().find(|row| row.starts_with(name)).unwrap();
            row.rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(source("port "), "flag");
        assert_eq!(source("cache_ttl"), "environment");
        assert!(source("session_ttl").ends_with("archesai.toml"));
        assert_eq!(source("idempotency_ttl"), "default");
    }

    #[test]
    fn secrets_are_masked() {
        let environment = [("ARCHESAI_LLM_API_KEY", "sk-very-secret")];
        let (config, table) = read(&[], &environment, "").unwrap();
        assert_eq!(config.llm.api_key.as_deref(), Some("sk-very-secret"));
        assert!(!table.contains("very-secret"));
    }

    #[test]
    fn what_is_wrong_is_said_once_and_clearly() {
        for (arguments, file, expected) in [
            (
                vec!["--port", "many"],
                "",
                "port = `many` (from flag) must be a port number",
            ),
            (
                vec!["--cache-ttl", "5"],
                "",
                "must be a duration such as 500ms",
            ),
            (
                vec!["--embeddings", "maybe"],
                "",
                "must be one of local, openai, off",
            ),
            (vec!["--worker-concurrency", "0"], "", "from 1 to 10000"),
            (vec!["--llm-url", "example.com"], "", "must be a URL"),
            (
                vec![],
                "prot = 1",
                "archesai.toml: there is no setting `prot`; did you mean `port`?",
            ),
            (
                vec![],
                "database_password = 1",
                "there is no setting `database_password`; `archesai config show` lists them all",
            ),
            (vec![], "port = ", "archesai.toml"),
        ] {
            let error = read(&arguments, &[], file).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let large = usize::MAX.to_string();
        for (name, value) in [
            ("session_ttl", "3651d"),
            ("session_max_ttl", "99999999999d"),
            ("invitation_ttl", "1000000000h"),
            ("worker_concurrency", &large),
            ("max_requests", &large),
            ("http_workers", "100000"),
            ("max_json_bytes", "2000GiB"),
            ("retry_scale", "1e17"),
            ("retry_scale", "NaN"),
            ("retry_scale", "inf"),
            ("retry_scale", "-1"),
        ] {
            let refused = read(&[], &[], &format!("{name} = \"{value}\""));
            let refused = refused.err().unwrap().to_string();
            assert!(refused.starts_with(name), "{refused}");
        }
        let file = "session_ttl = \"3650d\"\nretry_scale = \"0\"\nmax_json_bytes = \"1024GiB\"";
        let (config, _) = read(&[], &[], file).unwrap();
        assert_eq!(config.retry_scale.to_string(), "0");
    }

    #[test]
    fn a_variable_that_is_no_setting_is_refused() {
        for (name, expected) in [
            ("ARCHESAI_PROT", "did you mean `ARCHESAI_PORT`?"),
            ("ARCHESAI_port", "did you mean `ARCHESAI_PORT`?"),
            ("ARCHESAI_", "`archesai config show` lists them all"),
            ("ARCHESAI_DATADIR", "did you mean `ARCHESAI_DATA_DIR`?"),
        ] {
            let error = read(&[], &[(name, "1")], "").err().unwrap().to_string();
            let expected = format!("there is no setting `{name}`; {expected}");
            assert_eq!(error, expected);
        }
        // What is not ours is none of our business.
        read(&[], &[("ARCHES_PROT", "1"), ("PROT", "1")], "").unwrap();
    }

    #[test]
    fn a_flag_that_is_no_setting_is_refused() {
        let refused = command().try_get_matches_from(["archesai", "serve", "--prot", "1"]);
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("'--prot'") && refused.contains("'--port'"),
            "{refused}"
        );
    }
}
