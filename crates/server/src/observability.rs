//! Logs and metrics.

use std::{
    io::{IsTerminal as _, stderr},
    sync::Arc,
};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
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

/// Starts counting, and answers what writes the counts down for Prometheus.
///
/// # Errors
///
/// If somebody counts already.
pub(crate) fn start_metrics() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(suffix, LATENCIES)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|_| anyhow::anyhow!("metrics are recorded already"))?;
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}
