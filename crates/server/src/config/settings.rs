//! Everything that can be set: one row each.

/// One thing that can be set: as `--name-with-dashes`, as `ARCHESAI_NAME`, or as `name` in `archesai.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it is where nobody sets it; `{cores}`, `{data}` and `{cache}` stand for what this machine has.
    pub default: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// What it does.
    pub help: &'static str,
}

const fn setting(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default,
        secret: false,
        help,
    }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default: "",
        secret: true,
        help,
    }
}

/// Every setting, in the order people look for them.
pub const SETTINGS: &[Setting] = &[
    setting("host", "127.0.0.1", "The address to listen on"),
    setting("port", "8080", "The port to listen on; 0 takes a free one"),
    setting(
        "data_dir",
        "{data}/archesai",
        "Where the database, the files and the keys lie",
    ),
    setting(
        "model_dir",
        "{cache}/archesai/models",
        "Where the local model lies",
    ),
    setting(
        "log",
        "info,actix_server=warn",
        "What is logged: a level, or rules such as `info,archesai=debug`",
    ),
    setting("log_format", "text", "How it is logged: `text` or `json`"),
    secret(
        "metrics_token",
        "What /metrics is asked with; if not set, it answers its own machine alone",
    ),
    secret(
        "master_key",
        "The key-encryption key: 32 bytes in base64; made and kept in the data folder if not set",
    ),
    secret(
        "previous_master_keys",
        "The ones before it, by commas, until `archesai keys rotate` has run",
    ),
    setting(
        "embeddings",
        "local",
        "Where embeddings come from: `local`, `openai` or `off`",
    ),
    setting(
        "embedding_url",
        "",
        "The base URL of an OpenAI-compatible service for embeddings, such as http://localhost:11434/v1",
    ),
    setting(
        "embedding_model",
        "text-embedding-3-small",
        "The embedding model to ask that service for",
    ),
    setting(
        "embedding_dimensions",
        "1536",
        "How many dimensions its vectors have",
    ),
    secret("embedding_api_key", "The key to send to that service"),
    setting(
        "llm_url",
        "",
        "The base URL of an OpenAI-compatible service for language models",
    ),
    setting(
        "llm_model",
        "",
        "The language model to ask for where a step names none",
    ),
    secret("llm_api_key", "The key to send to that service"),
    setting(
        "access_token_ttl",
        "15m",
        "How long an access token is good",
    ),
    setting(
        "session_ttl",
        "30d",
        "How long a session lives without being refreshed",
    ),
    setting(
        "session_max_ttl",
        "365d",
        "How long a session lives at most, however often it is refreshed",
    ),
    setting(
        "invitation_ttl",
        "7d",
        "How long an invitation can be accepted",
    ),
    setting("cache_ttl", "5m", "How long something may stay in a cache"),
    setting(
        "cache_entries",
        "100000",
        "How many things each cache may hold",
    ),
    setting("max_json_bytes", "16MiB", "The largest JSON body"),
    setting("max_upload_bytes", "5GiB", "The largest uploaded file"),
    setting(
        "body_timeout",
        "30s",
        "How long a client may take over a JSON body",
    ),
    setting(
        "idle_timeout",
        "30s",
        "How long a client may pause within an upload",
    ),
    setting(
        "guest_requests_per_minute",
        "600",
        "How many requests an address may make without a credential",
    ),
    setting(
        "caller_requests_per_minute",
        "60000",
        "How many requests a user may make",
    ),
    setting(
        "failed_logins_per_quarter_hour",
        "10",
        "How many wrong passwords an account may be tried with",
    ),
    setting(
        "max_requests",
        "512",
        "How many requests are worked on at once; more are turned away",
    ),
    setting(
        "idempotency_ttl",
        "24h",
        "How long the answer to an Idempotency-Key is kept",
    ),
    setting(
        "event_retention",
        "",
        "How long events are kept; for ever if not set",
    ),
    setting(
        "trust_forwarded",
        "false",
        "Whether X-Forwarded-For is believed, as behind a proxy of one's own",
    ),
    setting("http_workers", "{cores}", "How many threads serve HTTP"),
    setting(
        "database_readers",
        "4",
        "How many connections read the embedded database",
    ),
    setting(
        "parallel_password_hashes",
        "{cores}",
        "How many passwords are hashed at once, 19 MiB each",
    ),
    setting("worker_concurrency", "16", "How many steps run at once"),
    setting(
        "step_lease",
        "12s",
        "How long a worker that is not heard of keeps its steps",
    ),
    setting(
        "step_timeout",
        "5m",
        "How long a step may take where it does not say",
    ),
    setting(
        "poll_interval",
        "500ms",
        "How often to look for work that nobody announced",
    ),
    setting(
        "retry_scale",
        "1",
        "What every wait before a retry is multiplied by",
    ),
    setting(
        "shutdown_delay",
        "500ms",
        "How long requests are still taken after /readyz says that the server stops",
    ),
    setting(
        "shutdown_timeout",
        "20s",
        "How long requests and steps may take to end at shutdown",
    ),
    setting(
        "egress_allow",
        "",
        "Hosts and networks that pipelines may reach although they are private, by commas",
    ),
    secret(
        "database_url",
        "The Postgres to use in place of the embedded database: postgres://user:password@host:port/database",
    ),
    secret(
        "database_owner_url",
        "The same as the owner of its tables, who brings them up to date at the start",
    ),
    secret(
        "database_replica_urls",
        "Replicas of that Postgres that search and metrics may read, by commas",
    ),
    setting(
        "database_replica_max_lag",
        "5s",
        "How far behind a replica may be to be read",
    ),
    setting(
        "database_max_connections",
        "25",
        "How many connections to Postgres there are at most",
    ),
    setting(
        "database_idle_connections",
        "5",
        "How many of them are kept when there is nothing to do",
    ),
    setting(
        "database_connection_lifetime",
        "5m",
        "How long one of them is used before it is replaced",
    ),
    setting(
        "root_certificates",
        "",
        "A file of certificates (PEM) that vouch for back ends, in place of those this machine trusts",
    ),
    secret(
        "redis_url",
        "The Redis for caches and rate limits: redis://user:password@host:port, rediss:// encrypted, or a cluster's by commas",
    ),
    setting(
        "caches",
        "auto",
        "Where caches are: `redis`, `memory`, or the first of them that there is",
    ),
    secret(
        "nats_url",
        "The NATS that carries events: nats://user:password@host:port, tls:// encrypted, or a cluster's by commas",
    ),
    setting(
        "namespace",
        "archesai",
        "What names in Redis and NATS begin with, so that several systems can share them",
    ),
    setting(
        "events",
        "auto",
        "What carries events between nodes: `nats`, `redis`, `postgres`, `memory`, or the first of them that there is",
    ),
    setting(
        "storage_url",
        "",
        "The bucket for the bytes of artifacts, in place of a folder: s3://bucket/prefix",
    ),
    setting(
        "storage_endpoint",
        "",
        "Where the bucket is, unless at Amazon's: https://host:port",
    ),
    setting("storage_region", "us-east-1", "The region of the bucket"),
    setting("storage_access_key_id", "", "The access key for the bucket"),
    secret("storage_secret_access_key", "The secret of that access key"),
];
