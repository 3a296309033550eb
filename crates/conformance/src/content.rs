//! What a store of content must do: one function for each promise of the port.

mod artifacts;
mod deletions;
mod embeddings;
mod erasures;
mod labels;
mod program;
mod queue;
mod search;
mod whole;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Chunk, ChunkId, IndexStatus, Json, Label,
    LabelId, ModelInfo, OrganizationId, Slice,
    ports::{BlobDeletion, Claim, NewIndex, Store},
};
use archesai_platform::events::Outbox;

use crate::fresh;

/// Runs every check on a store that nobody else uses meanwhile and where nothing
/// waits to be done, for its queues are one for all. The organizations are made
/// up: content does not ask whether they exist.
pub async fn suite<S: Store + Outbox + Clone>(store: &S) {
    artifacts::suite(store).await;
    labels::suite(store).await;
    queue::suite(store).await;
    embeddings::suite(store).await;
    deletions::suite(store).await;
    erasures::suite(store).await;
    search::suite(store).await;
    whole::suite(store).await;
}

/// Runs one check, and takes away what it leaves.
async fn check<S: Store + Clone>(store: &S, check: impl AsyncFn(&World<S>)) {
    let world = World::new(store);
    check(&world).await;
    world.leave().await;
}

/// Two organizations without content.
struct World<S> {
    store: S,
    ours: OrganizationId,
    theirs: OrganizationId,
}

impl<S: Store> World<S> {
    fn new(store: &S) -> Self
    where
        S: Clone,
    {
        Self {
            store: store.clone(),
            ours: OrganizationId(fresh()),
            theirs: OrganizationId(fresh()),
        }
    }

    /// Stores an artifact of an organization, and its labels before it.
    async fn put(&self, artifact: &Artifact) {
        let organization = artifact.organization_id;
        let labels = artifact.labels.iter();
        let labels: Vec<_> = labels.map(|name| label(organization, name)).collect();
        let made = self.store.ensure_labels(organization, &labels).await;
        made.unwrap();
        let stored = self.store.insert_artifact(organization, artifact).await;
        stored.unwrap();
    }

    /// Stores an artifact that is indexed.
    async fn put_indexed(&self, artifact: &Artifact, index: NewIndex) {
        self.put(artifact).await;
        let (organization, id) = (artifact.organization_id, artifact.id);
        let replaced = self.store.replace_chunks(organization, id, &index).await;
        assert!(replaced.unwrap());
    }

    /// Takes away all that is waiting or could be found.
    async fn leave(&self) {
        let slice = Slice {
            limit: 1_000,
            after: None,
            sort: ArtifactSort::CreatedAt,
            descending: false,
        };
        let all = ArtifactFilter::default();
        for organization in [self.ours, self.theirs] {
            let page = self.store.list_artifacts(organization, &all, &slice).await;
            for artifact in page.unwrap().items {
                let deleted = self.store.delete_artifact(organization, artifact.id).await;
                assert!(deleted.unwrap().is_some());
            }
        }
        for deletion in self.deletions(1_000_000_000).await {
            let organization = deletion.organization_id;
            let finished = self
                .store
                .finish_blob_deletion(organization, &deletion.blob_key);
            finished.await.unwrap();
        }
    }

    /// Every deletion of bytes that is due by then.
    async fn deletions(&self, seconds: u64) -> Vec<BlobDeletion> {
        let claimed = self
            .store
            .claim_blob_deletions(&claim(100, seconds, seconds + 1))
            .await;
        claimed.unwrap()
    }
}

/// A time with microseconds, and nothing finer.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_800_000_000_000_000 + seconds * 1_000_000 + 123_456)
}

fn claim(limit: u32, now: u64, until: u64) -> Claim {
    Claim {
        limit,
        now: time(now),
        until: time(until),
    }
}

/// An artifact that waits to be indexed.
pub(crate) fn artifact(organization: OrganizationId, name: &str) -> Artifact {
    let id = fresh();
    Artifact {
        id: ArtifactId(id),
        organization_id: organization,
        name: name.to_owned(),
        media_type: "text/plain".to_owned(),
        size: 5,
        sha256: [7; 32],
        blob_key: format!("{organization}/{id}"),
        metadata: Json::Object(BTreeMap::new()),
        labels: Vec::new(),
        index_status: IndexStatus::Pending,
        index_error: None,
        chunk_count: 0,
        version: 1,
        created_by: None,
        created_at: time(0),
        updated_at: time(0),
    }
}

fn label(organization: OrganizationId, name: &str) -> Label {
    Label {
        id: LabelId(fresh()),
        organization_id: organization,
        name: name.to_owned(),
        created_at: time(0),
    }
}

fn model(name: &str, dimensions: u32) -> ModelInfo {
    ModelInfo {
        name: name.to_owned(),
        dimensions,
    }
}

/// Passages of an artifact, by their texts.
fn texts(artifact: &Artifact, texts: &[&str]) -> NewIndex {
    let chunks = texts.iter().zip(0..).map(|(text, position)| Chunk {
        id: ChunkId(fresh()),
        artifact_id: artifact.id,
        position,
        text: (*text).to_owned(),
        start: 0,
        end: text.len() as u64,
        embedding: None,
    });
    NewIndex {
        fence: None,
        text: Some(texts.join("\n")),
        chunks: chunks.collect(),
        model: None,
    }
}

/// Passages of an artifact, by their vectors.
fn vectors(artifact: &Artifact, model: &ModelInfo, vectors: &[Vec<f32>]) -> NewIndex {
    let names: Vec<_> = (0..vectors.len())
        .map(|at| format!("passage {at}"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut index = texts(artifact, &names);
    for (chunk, vector) in index.chunks.iter_mut().zip(vectors) {
        chunk.embedding = Some(vector.clone());
    }
    index.model = Some(model.clone());
    index
}
