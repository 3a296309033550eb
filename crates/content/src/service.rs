//! The use cases of content, over whatever implements its ports.

mod artifacts;
mod blobs;
mod embeddings;
mod erasure;
mod indexing;
mod labels;
mod passages;
mod search;
mod upload;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Artifact, ArtifactId, Cache, Clock, Event, Ids, OrganizationId, Recorded, UserId,
    ports::{Blobs, Embedder, Store, TextExtractor, Wakeups},
};

pub use artifacts::ArtifactChanges;
pub use indexing::IndexWork;
pub use upload::{NewArtifact, Upload};

/// The adapters content runs on, chosen by whoever composes it.
pub trait Adapters: Send + Sync + 'static {
    /// Keeps what content owns.
    type Store: Store;
    /// Remembers artifacts.
    type Artifacts: Cache<(OrganizationId, ArtifactId), Artifact>;
    /// Keeps bytes.
    type Blobs: Blobs;
    /// Turns texts into vectors.
    type Embedder: Embedder;
    /// Finds the text in files.
    type TextExtractor: TextExtractor;
    /// Wakes whoever indexes.
    type Wakeups: Wakeups;
}

/// How much and how long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most bytes an artifact may have.
    pub max_bytes: u64,
    /// The most bytes of an artifact that are read for search; those of a longer one are not.
    pub max_indexed_bytes: u64,
    /// How long an upload may take.
    pub upload_ttl: Duration,
    /// How long an entity may stay in a cache.
    pub cache_ttl: Duration,
    /// How long background work is claimed for before others may take it over.
    pub lease: Duration,
    /// How long to wait before work that could not be done is tried again.
    pub retry_delay: Duration,
    /// How often to begin indexing an artifact that never comes to an end, and
    /// to ask for an embedding that the model refuses.
    pub max_index_attempts: u32,
    /// How many passages to embed in one call.
    pub embed_batch: u32,
    /// How many passages of an artifact are embedded before it counts as
    /// indexed; the others follow in the background.
    pub max_embedded_at_once: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_bytes: 5 << 30,
            max_indexed_bytes: 32 << 20,
            upload_ttl: Duration::from_hours(24),
            cache_ttl: Duration::from_mins(5),
            lease: Duration::from_mins(1),
            retry_delay: Duration::from_secs(10),
            max_index_attempts: 3,
            embed_batch: 32,
            max_embedded_at_once: 32,
        }
    }
}

/// The use cases of content.
pub struct Service<A: Adapters> {
    /// Keeps what content owns.
    pub store: A::Store,
    /// Remembers artifacts.
    pub artifacts: A::Artifacts,
    /// Keeps bytes.
    pub blobs: A::Blobs,
    /// Turns texts into vectors.
    pub embedder: A::Embedder,
    /// Finds the text in files.
    pub extractor: A::TextExtractor,
    /// Wakes whoever indexes.
    pub wakeups: A::Wakeups,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
    /// How much and how long.
    pub settings: Settings,
}

impl<A: Adapters> fmt::Debug for Service<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A size as events tell it.
fn told(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// An open transaction of the store in use.
type Open<A> = <<A as Adapters>::Store as Store>::Transaction;

impl<A: Adapters> Service<A> {
    /// An event of this moment.
    fn event(&self, organization: OrganizationId, actor: Option<UserId>, event: Event) -> Recorded {
        Recorded {
            id: self.ids.next(),
            organization_id: Some(organization),
            actor_id: actor,
            occurred_at: self.clock.now(),
            event,
        }
    }
}
