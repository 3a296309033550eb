//! Usage: what the other domains tell of, in the words of organizations.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use archesai_organizations::{Counts, Figure, OrganizationId, Tally, ports::Repository};
use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Mark},
    projections::Projection,
};

use crate::{compose::Database, erased::organizations::AnyStore};

/// Counts what happens as usage.
pub(crate) struct UsageProjection {
    store: AnyStore,
    /// The tally to count in, if it is not the one that is read, with how far it is.
    begun: Option<Mutex<Tally>>,
}

impl UsageProjection {
    /// Counts in the tally that is read.
    pub(crate) fn new(store: AnyStore) -> Self {
        Self { store, begun: None }
    }

    /// How long the oldest event has waited that is not counted in the tally that is read.
    pub(crate) async fn lag(database: &Database, now: SystemTime) -> Result<Duration> {
        let read = Self::new(database.organizations_store());
        archesai_worker::lag(&database.changes(), &read, now).await
    }

    /// Counts in a tally that was begun beside it, alone.
    pub(crate) fn beside(store: AnyStore, tally: Tally) -> Self {
        Self {
            store,
            begun: Some(Mutex::new(tally)),
        }
    }
}

impl Projection for UsageProjection {
    type Checkpoint = Tally;

    const NAME: &'static str = "usage";
    const KINDS: &'static [&'static str] = &["artifact", "run"];

    async fn checkpoint(&self) -> Result<(Tally, Mark)> {
        let tally = match &self.begun {
            Some(begun) => begun.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => self
                .store
                .current_tally()
                .await
                .map_err(Error::unavailable)?,
        };
        let mark = if tally.mark.is_empty() {
            Mark::default()
        } else {
            serde_json::from_str(&tally.mark).map_err(Error::unavailable)?
        };
        Ok((tally, mark))
    }

    async fn take_in(&self, events: &[LoggedEvent], from: &Tally, to: &Mark) -> Result<bool> {
        let mut counts = Counts::default();
        for event in events {
            if let Err(error) = count(&mut counts, event) {
                // Trying again would not help, and nothing after it would ever be counted.
                tracing::error!(event = %event.kind, %error, "an event that nobody understands");
                metrics::counter!("archesai_events_not_understood_total").increment(1);
            }
        }
        let mark = serde_json::to_string(to).map_err(Error::unavailable)?;
        let added = self.store.add_usage(from, &mark, &counts).await;
        let added = added.map_err(Error::unavailable)?;
        if let (Some(begun), true) = (&self.begun, added) {
            begun.lock().unwrap_or_else(PoisonError::into_inner).mark = mark;
        }
        Ok(added)
    }
}

/// Counts what an event tells of.
fn count(counts: &mut Counts, event: &LoggedEvent) -> serde_json::Result<()> {
    let Some(organization) = event.organization_id else {
        return Ok(());
    };
    let mut add = |figure, much| {
        counts.add(
            OrganizationId(organization),
            event.occurred_at,
            figure,
            much,
        );
    };
    if event.aggregate_kind == "artifact" {
        use archesai_content::Event;

        match serde_json::from_str(&event.payload)? {
            Event::ArtifactCreated { bytes, .. } => {
                add(Figure::ArtifactsCreated, 1);
                add(Figure::BytesStored, bytes);
            }
            Event::ArtifactDeleted { bytes, .. } => {
                add(Figure::ArtifactsDeleted, 1);
                add(Figure::BytesFreed, bytes);
            }
            _ => {}
        }
    } else {
        use archesai_workflows::Event;

        match serde_json::from_str(&event.payload)? {
            Event::RunQueued { .. } => add(Figure::RunsStarted, 1),
            Event::RunSucceeded { .. } => add(Figure::RunsSucceeded, 1),
            Event::RunFailed { .. } => add(Figure::RunsFailed, 1),
            Event::RunCancelled { .. } => add(Figure::RunsCancelled, 1),
            Event::StepSucceeded { .. } | Event::StepFailed { .. } => add(Figure::StepsFinished, 1),
            _ => {}
        }
    }
    Ok(())
}
