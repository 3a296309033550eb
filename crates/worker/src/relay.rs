//! Publishes the event log.

use std::{collections::BTreeSet, time::Duration};

use archesai_platform::{
    Result,
    events::{EventLog, LoggedEvent, Publisher},
};
use tokio::time::Instant;

use crate::Stop;

/// How many events are read at once.
const BATCH: u32 = 500;

/// How long an event may stay published but not marked so. A crash within
/// publishes it a second time; marking each alone would cost a commit each.
const UNMARKED: Duration = Duration::from_millis(250);

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Publishes events until it is stopped: at least once each, in the order of the log.
pub async fn relay<L: EventLog, P: Publisher>(log: L, publisher: P, poll: Duration, stop: Stop) {
    let mut relay = Relay {
        log,
        publisher,
        unmarked: BTreeSet::new(),
        marked_at: Instant::now(),
    };
    while !stop.is_cancelled() {
        let wait = match relay.pass(&stop).await {
            Ok(true) => continue,
            Ok(false) => relay.wait(poll),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "publishing events"
                );
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = relay.log.appended() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(error) = relay.mark().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "marking events");
    }
}

struct Relay<L, P> {
    log: L,
    publisher: P,
    /// What was published and is not marked so yet.
    unmarked: BTreeSet<i64>,
    marked_at: Instant,
}

impl<L: EventLog, P: Publisher> Relay<L, P> {
    /// Publishes what is new. Answers whether there may be more.
    async fn pass(&mut self, stop: &Stop) -> Result<bool> {
        let batch = self.log.unpublished(&self.unmarked, BATCH).await?;
        let full = batch.len() >= BATCH as usize;
        for event in &batch {
            if stop.is_cancelled() {
                return Ok(false);
            }
            self.publish(event).await?;
        }
        let many = self.unmarked.len() >= BATCH as usize;
        if many || self.marked_at.elapsed() >= UNMARKED {
            self.mark().await?;
        }
        Ok(full)
    }

    async fn publish(&mut self, event: &LoggedEvent) -> Result<()> {
        self.publisher.publish(event).await?;
        self.unmarked.insert(event.sequence);
        metrics::counter!("archesai_events_published_total").increment(1);
        Ok(())
    }

    async fn mark(&mut self) -> Result<()> {
        self.marked_at = Instant::now();
        if self.unmarked.is_empty() {
            return Ok(());
        }
        let sequences: Vec<i64> = self.unmarked.iter().copied().collect();
        self.log.mark_published(&sequences).await?;
        self.unmarked.clear();
        Ok(())
    }

    /// How long to wait: not past the time to mark what is not marked.
    fn wait(&self, poll: Duration) -> Duration {
        if self.unmarked.is_empty() {
            poll
        } else {
            UNMARKED.saturating_sub(self.marked_at.elapsed()).min(poll)
        }
    }
}
