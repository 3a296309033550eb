//! Publishes the event log, and chains what it published. Of all nodes that could, one does.
//!
//! Chaining here rather than where events are appended keeps those who append to one organization
//! from waiting for each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use archesai_platform::{
    Result,
    chains::{Extension, PLATFORM},
    events::{LoggedEvent, Outbox, Publisher},
    vault::Vault,
    wakeups::{Wake, Wakeups},
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

/// How long the right to publish lasts: so long after a node has died another takes over.
const LEASE: Duration = Duration::from_secs(5);

/// For how long of it a node publishes without asking again. The rest is for clocks that differ, and
/// for the event that is on its way.
const LEADING: Duration = Duration::from_secs(2);

/// How often a node that has no right to publish asks for it.
const ASKING: Duration = Duration::from_secs(1);

/// Publishes events until it is stopped: at least once each, in the order of the log. `node` is who
/// does it, and the vault has the key that they are chained with.
pub async fn relay<L: Outbox, P: Publisher, W: Wake>(
    log: L,
    vault: Arc<dyn Vault>,
    publisher: P,
    wake: W,
    node: u128,
    poll: Duration,
    stop: Stop,
) {
    let mut relay = Relay {
        log,
        vault,
        publisher,
        node,
        leads: false,
        asked_at: None,
        unmarked: BTreeMap::new(),
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
            () = wake.woken() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(error) = relay.end().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "marking events");
    }
}

/// Says that the log has grown, to whichever node publishes it.
pub async fn herald<L: Outbox>(log: L, wake: Arc<dyn Wakeups>, stop: Stop) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = log.appended() => wake.wake(),
        }
    }
}

struct Relay<L, P> {
    log: L,
    vault: Arc<dyn Vault>,
    publisher: P,
    node: u128,
    /// Whether it had the right to publish when it asked, and when that was.
    leads: bool,
    asked_at: Option<Instant>,
    /// What was published and is not marked so yet, by its place in the log.
    unmarked: BTreeMap<i64, LoggedEvent>,
    marked_at: Instant,
}

impl<L: Outbox, P: Publisher> Relay<L, P> {
    /// Publishes what is new, if that is for this node to do. Answers whether there may be more.
    async fn pass(&mut self, stop: &Stop) -> Result<bool> {
        if !self.leads().await? {
            self.mark().await?;
            return Ok(false);
        }
        let known = self.unmarked.keys().copied().collect();
        let batch = self.log.unpublished(&known, BATCH).await?;
        let full = batch.len() >= BATCH as usize;
        for event in batch {
            if stop.is_cancelled() || !self.leads().await? {
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

    /// Whether this node has the right to publish for now, asking for it where that is not known.
    async fn leads(&mut self) -> Result<bool> {
        let lasts = if self.leads { LEADING } else { ASKING };
        if self.asked_at.is_some_and(|at| at.elapsed() < lasts) {
            return Ok(self.leads);
        }
        let asked = Instant::now();
        let leads = self.log.lead(self.node, LEASE).await?;
        if leads != self.leads {
            tracing::info!(leads, "publishing events");
        }
        self.leads = leads;
        self.asked_at = Some(asked);
        Ok(leads)
    }

    async fn publish(&mut self, event: LoggedEvent) -> Result<()> {
        self.publisher.publish(&event).await?;
        self.unmarked.insert(event.sequence, event);
        metrics::counter!("archesai_events_published_total").increment(1);
        Ok(())
    }

    async fn mark(&mut self) -> Result<()> {
        self.marked_at = Instant::now();
        if self.unmarked.is_empty() {
            return Ok(());
        }
        let of = |event: &LoggedEvent| event.organization_id.unwrap_or(PLATFORM);
        let organizations: BTreeSet<u128> = self.unmarked.values().map(of).collect();
        let chains = self.log.chains(&organizations).await?;
        let extension = Extension::new(&*self.vault, chains, self.unmarked.values())?;
        for organization in extension.broken() {
            tracing::error!(
                organization = format!("{organization:032x}"),
                "somebody tampered with the audit trail; `archesai audit verify` says more"
            );
        }
        // Where another node was faster, what it left is read and published again.
        if !self.log.mark_published(&extension).await? {
            tracing::warn!("another node publishes events as well");
        }
        self.unmarked.clear();
        Ok(())
    }

    /// Leaves nothing to do twice, and lets another take over.
    async fn end(&mut self) -> Result<()> {
        self.mark().await?;
        self.log.resign(self.node).await
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
