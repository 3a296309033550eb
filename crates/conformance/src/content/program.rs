//! A program around a store: the content domain with stand-ins for storage, model,
//! cache and clock, which can be made to fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use archesai_content::{
    Adapters, Artifact, ArtifactId, Clock, Error, ModelInfo, NewArtifact, OrganizationId, Result,
    SearchMode, SearchRequest, Service, Settings,
    ports::{
        BlobReader, BlobWriter, Blobs, Embedder, ExtractedText, ExtractionError, Passage, Store,
        Stored, TextExtractor, Wakeups,
    },
};
use archesai_platform::events::{LoggedEvent, Outbox};

use super::{World, claim, model};
use crate::fakes::{Gate, Hand, Shelf};

/// How many numbers a vector of the stand-in for a model has.
pub(super) const DIMENSIONS: u32 = 64;

/// The domain over a store, between two organizations.
pub(super) struct Program<S: Store> {
    pub(super) service: Service<Fakes<S>>,
    pub(super) ours: OrganizationId,
    pub(super) theirs: OrganizationId,
    hand: Arc<Hand>,
}

/// The adapters of a [`Program`].
pub(super) struct Fakes<S>(PhantomData<S>);

impl<S: Store> Adapters for Fakes<S> {
    type Store = S;
    type Artifacts = Shelf<(OrganizationId, ArtifactId), Artifact>;
    type Blobs = FakeBlobs;
    type Embedder = FakeModel;
    type TextExtractor = FakeExtractor;
    type Wakeups = Counter;
}

impl<S: Store + Outbox + Clone> Program<S> {
    pub(super) fn new(world: &World<S>) -> Self {
        let hand = Arc::new(Hand::default());
        let service = Service {
            store: world.store.clone(),
            artifacts: Shelf::new(&Gate::default()),
            blobs: FakeBlobs::default(),
            embedder: FakeModel::default(),
            extractor: FakeExtractor,
            wakeups: Counter::default(),
            clock: hand.clone(),
            ids: hand.clone(),
            settings: Settings::default(),
        };
        let program = Self {
            service,
            ours: world.ours,
            theirs: world.theirs,
            hand,
        };
        program.use_model(Some(model("words", DIMENSIONS)));
        program
    }

    pub(super) fn now(&self) -> SystemTime {
        self.hand.now()
    }

    /// Lets time pass.
    pub(super) fn pass(&self, time: Duration) {
        self.hand.pass(time);
    }

    /// The keys of the bytes that are stored.
    pub(super) fn blobs(&self) -> Vec<String> {
        let kept = self.service.blobs.kept.lock().unwrap();
        kept.keys().cloned().collect()
    }

    /// Stores bytes past the service.
    pub(super) fn put_blob(&self, key: &str) {
        let mut kept = self.service.blobs.kept.lock().unwrap();
        kept.insert(key.to_owned(), vec![1]);
    }

    pub(super) fn break_blobs(&self, broken: bool) {
        self.service.blobs.broken.store(broken, Ordering::Relaxed);
    }

    pub(super) fn use_model(&self, model: Option<ModelInfo>) {
        *self.service.embedder.model.lock().unwrap() = model;
    }

    pub(super) fn break_model(&self, broken: bool) {
        self.service
            .embedder
            .broken
            .store(broken, Ordering::Relaxed);
    }

    /// Lets the model refuse texts that have something in them.
    pub(super) fn refuse(&self, refused: Option<&'static str>) {
        *self.service.embedder.refused.lock().unwrap() = refused;
    }

    pub(super) fn wakeups(&self) -> u32 {
        self.service.wakeups.0.load(Ordering::Relaxed)
    }

    /// How many events of a kind our organization has.
    pub(super) async fn events(&self, kind: &str) -> usize {
        let none = BTreeSet::new();
        let events = self
            .service
            .store
            .unpublished(&none, 100_000)
            .await
            .unwrap();
        let ours =
            |event: &&LoggedEvent| event.organization_id == Some(self.ours.0) && event.kind == kind;
        events.iter().filter(ours).count()
    }

    /// How many deletions of bytes wait, however long they still have to; they count as
    /// claimed from then on.
    pub(super) async fn deletions(&self) -> usize {
        let far = claim(100, 1_000_000_000, 1_000_000_001);
        let claimed = self.service.store.claim_blob_deletions(&far).await;
        claimed.unwrap().len()
    }

    pub(super) async fn store_text(&self, name: &str, text: &str) -> Artifact {
        let new = NewArtifact {
            name: name.to_owned(),
            ..NewArtifact::default()
        };
        let bytes = text.as_bytes().to_vec();
        let stored = self.service.create_artifact(self.ours, None, new, bytes);
        stored.await.unwrap()
    }

    /// Does one piece of work; answers whether there was one.
    pub(super) async fn work(&self) -> Result<bool> {
        let Some(work) = self.service.claim_work().await? else {
            return Ok(false);
        };
        self.service.work(&work).await?;
        Ok(true)
    }

    pub(super) async fn index_all(&self) {
        while self.work().await.unwrap() {}
    }

    pub(super) async fn read(&self, artifact: &Artifact) -> Artifact {
        let found = self.service.artifact(self.ours, artifact.id).await;
        found.unwrap()
    }

    /// The texts that a search finds.
    pub(super) async fn found(&self, query: &str, mode: SearchMode) -> Vec<String> {
        let request = SearchRequest {
            query: Some(query.to_owned()),
            mode: Some(mode),
            ..SearchRequest::default()
        };
        let hits = self.service.search(self.ours, request).await.unwrap();
        hits.into_iter().map(|hit| hit.text).collect()
    }
}

#[derive(Default)]
pub(super) struct Counter(AtomicU32);

impl Wakeups for Counter {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Default)]
pub(super) struct FakeBlobs {
    kept: Kept,
    broken: AtomicBool,
}

impl FakeBlobs {
    fn check(&self) -> Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the storage is down"));
        }
        Ok(())
    }
}

impl Blobs for FakeBlobs {
    type Writer = FakeWriter;
    type Reader = FakeReader;

    async fn create(&self, key: &str) -> Result<FakeWriter> {
        self.check()?;
        Ok(FakeWriter {
            key: key.to_owned(),
            bytes: Vec::new(),
            kept: self.kept.clone(),
        })
    }

    async fn open(&self, key: &str, range: Option<Range<u64>>) -> Result<FakeReader> {
        self.check()?;
        let kept = self.kept.lock().unwrap();
        let bytes = kept.get(key).ok_or(Error::NotFound)?;
        let at = |n: u64| usize::try_from(n).unwrap();
        let range = range.map_or(0..bytes.len(), |range| at(range.start)..at(range.end));
        Ok(FakeReader(Some(bytes[range].to_vec())))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check()?;
        self.kept.lock().unwrap().remove(key);
        Ok(())
    }
}

pub(super) struct FakeWriter {
    key: String,
    bytes: Vec<u8>,
    kept: Kept,
}

impl BlobWriter for FakeWriter {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.bytes.extend(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<Stored> {
        let size = self.bytes.len() as u64;
        let mut kept = self.kept.lock().unwrap();
        let replaced = kept.insert(self.key, self.bytes);
        assert_eq!(replaced, None, "a key is used once");
        Ok(Stored {
            size,
            sha256: [1; 32],
        })
    }
}

pub(super) struct FakeReader(Option<Vec<u8>>);

impl BlobReader for FakeReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.take())
    }
}

/// Counts words: texts are near to each other that share some.
#[derive(Default)]
pub(super) struct FakeModel {
    model: Mutex<Option<ModelInfo>>,
    broken: AtomicBool,
    /// What it refuses to embed.
    refused: Mutex<Option<&'static str>>,
}

impl Embedder for FakeModel {
    fn model(&self) -> Option<ModelInfo> {
        self.model.lock().unwrap().clone()
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the model is down"));
        }
        let refused = *self.refused.lock().unwrap();
        if refused.is_some_and(|refused| texts.iter().any(|text| text.contains(refused))) {
            return Err(Error::TextRefused {
                reason: "it has its reasons".to_owned(),
            });
        }
        Ok(texts.iter().map(|text| count(text)).collect())
    }
}

fn count(text: &str) -> Vec<f32> {
    let mut counts = vec![0.0; DIMENSIONS as usize];
    for word in text.split_whitespace() {
        let sum: usize = word
            .bytes()
            .fold(7, |sum, b| sum * 31 % 65_521 + usize::from(b));
        counts[sum % DIMENSIONS as usize] += 1.0;
    }
    counts
}

pub(super) struct FakeExtractor;

impl TextExtractor for FakeExtractor {
    async fn extract(
        &self,
        bytes: Vec<u8>,
        _media_type: &str,
        _name: &str,
    ) -> Result<ExtractedText, ExtractionError> {
        let text = String::from_utf8(bytes).map_err(|_| ExtractionError::Unsupported)?;
        if text.starts_with('\u{1}') {
            return Err(ExtractionError::Unsupported);
        }
        if text == "damaged" {
            return Err(ExtractionError::Damaged(
                "the file ends too early".to_owned(),
            ));
        }
        Ok(ExtractedText { text })
    }

    async fn split(&self, text: &str) -> Result<Vec<Passage>> {
        let passages = text.split("\n\n").filter(|part| !part.trim().is_empty());
        Ok(passages
            .map(|part| Passage {
                text: part.to_owned(),
                start: 0,
                end: part.len() as u64,
            })
            .collect())
    }

    fn media_type(&self, name: &str, _first_bytes: &[u8]) -> String {
        let html = std::path::Path::new(name)
            .extension()
            .is_some_and(|end| end == "html");
        if html { "text/html" } else { "text/plain" }.to_owned()
    }
}
