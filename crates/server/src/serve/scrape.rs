//! What `/metrics` tells: what was counted, and how things stand at the moment.

use std::{sync::Arc, time::Duration};

use archesai_auth::Clock as _;
use archesai_http::Metrics;
use archesai_platform::{
    gauges::{Backlog, Waiting},
    projections::Projection,
};
use async_trait::async_trait;

use crate::{
    compose::{Infrastructure, UsageProjection},
    observability::Counts,
};

/// The longest wait for the database; without it the rest is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks how things stand, and writes everything down.
pub(super) struct Scrape {
    counts: Counts,
    infrastructure: Arc<Infrastructure>,
}

impl Scrape {
    pub(super) fn new(counts: Counts, infrastructure: Arc<Infrastructure>) -> Self {
        Self {
            counts,
            infrastructure,
        }
    }

    fn connections(&self) {
        for pool in self.infrastructure.database.connections() {
            let gauge = |state: &'static str, count: u32| {
                let labels = [("pool", pool.pool), ("state", state)];
                metrics::gauge!("archesai_database_connections", &labels).set(f64::from(count));
            };
            gauge("busy", pool.busy);
            gauge("free", pool.free);
        }
    }

    async fn lag(&self) {
        let now = self.infrastructure.system.now();
        let lag = UsageProjection::lag(&self.infrastructure.database, now);
        if let Ok(Ok(lag)) = tokio::time::timeout(PATIENCE, lag).await {
            metrics::gauge!("archesai_read_model_lag_seconds", "read_model" => UsageProjection::NAME)
                .set(lag.as_secs_f64());
        }
    }

    async fn backlog(&self) {
        let now = self.infrastructure.system.now();
        let backlog = self.infrastructure.database.backlog(now);
        let Ok(Ok(Backlog {
            steps,
            artifacts,
            events,
        })) = tokio::time::timeout(PATIENCE, backlog).await
        else {
            return;
        };
        for (queue, waiting) in [
            ("steps", steps),
            ("artifacts", artifacts),
            ("events", events),
        ] {
            let Waiting { count, since } = waiting;
            let age = since.and_then(|since| now.duration_since(since).ok());
            metrics::gauge!("archesai_queue_length", "queue" => queue).set(f64::from(count));
            metrics::gauge!("archesai_queue_age_seconds", "queue" => queue)
                .set(age.unwrap_or_default().as_secs_f64());
        }
    }
}

#[async_trait]
impl Metrics for Scrape {
    async fn render(&self) -> String {
        self.connections();
        tokio::join!(self.backlog(), self.lag());
        self.counts.render()
    }
}
