//! Logs and metrics.

use std::io::{IsTerminal as _, stderr};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Upper bounds of latency, in seconds.
const LATENCIES: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Starts the log, on standard error.
///
/// # Errors
///
/// If the rules of what is logged are no rules.
pub(crate) fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("log = `{}` must be a level or rules", config.log))?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // Colours are for people who look at it, not for files.
        .with_ansi(stderr().is_terminal())
        .with_target(true);
    let started = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}

/// What is measured, and what that tells. The rest of the program only counts;
/// `docs/metrics.md` says the same for people.
const METRICS: &[(Kind, &str, &str)] = &[
    (
        Kind::Counters,
        "archesai_http_requests_total",
        "Requests that were answered",
    ),
    (
        Kind::Histogram,
        "archesai_http_request_duration_seconds",
        "How long requests took",
    ),
    (
        Kind::Gauge,
        "archesai_http_requests_in_flight",
        "Requests that are worked on",
    ),
    (
        Kind::Counter,
        "archesai_http_requests_shed_total",
        "Requests that were turned away because too many were worked on",
    ),
    (
        Kind::Counters,
        "archesai_rate_limited_total",
        "Requests beyond what their caller may make",
    ),
    (
        Kind::Histogram,
        "archesai_step_duration_seconds",
        "How long attempts at steps took",
    ),
    (
        Kind::Gauge,
        "archesai_queue_length",
        "How much waits to be done",
    ),
    (
        Kind::Gauge,
        "archesai_queue_age_seconds",
        "How long the oldest of it has waited",
    ),
    (
        Kind::Counter,
        "archesai_artifacts_indexed_total",
        "Artifacts that went through indexing",
    ),
    (
        Kind::Counter,
        "archesai_events_published_total",
        "Events that were published, repeated ones too",
    ),
    (
        Kind::Counter,
        "archesai_events_not_understood_total",
        "Events that could not be read back",
    ),
    (
        Kind::Counters,
        "archesai_cache_requests_total",
        "Questions that caches answered",
    ),
    (
        Kind::Counter,
        "archesai_cache_failures_total",
        "Calls of caches that failed",
    ),
    (
        Kind::Gauge,
        "archesai_database_connections",
        "Connections to the database",
    ),
    (
        Kind::Histogram,
        "archesai_database_wait_seconds",
        "How long it took to get hold of a connection",
    ),
];

/// What a metric is.
#[derive(Clone, Copy)]
enum Kind {
    /// One counter, there from the start: a first increase from nothing at all
    /// would be no increase to Prometheus.
    Counter,
    /// A counter for each combination of labels that occurs.
    Counters,
    Gauge,
    Histogram,
}

/// Everything that was counted.
pub(crate) struct Counts(PrometheusHandle);

impl Counts {
    /// All of it, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Starts counting.
///
/// # Errors
///
/// If somebody counts already.
pub(crate) fn start_metrics() -> anyhow::Result<Counts> {
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(suffix, LATENCIES)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|_| anyhow::anyhow!("metrics are recorded already"))?;
    for (kind, name, help) in METRICS {
        match kind {
            Kind::Counter | Kind::Counters => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *help),
        }
        if let Kind::Counter = kind {
            metrics::counter!(*name).absolute(0);
        }
    }
    Ok(Counts(handle))
}
