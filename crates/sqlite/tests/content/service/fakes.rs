//! Stand-ins for storage, model, cache and clock, which can be made to fail.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use archesai_content::{
    Adapters, Artifact, ArtifactId, Cache, CacheError, Clock, Error, Ids, ModelInfo,
    OrganizationId, Result, Service, Settings,
    ports::{
        BlobReader, BlobWriter, Blobs, Embedder, ExtractedText, ExtractionError, Passage, Stored,
        TextExtractor, Wakeups,
    },
};
use archesai_sqlite::{Pooled, Sqlite};

use crate::support::{Scratch, at, fresh, model};

/// How many numbers a vector of the stand-in for a model has.
pub(crate) const DIMENSIONS: u32 = 64;

/// A service over a real database.
pub(crate) struct Bench {
    pub(crate) service: Service<Fakes>,
    pub(crate) scratch: Scratch,
    clock: Arc<FakeClock>,
}

pub(crate) struct Fakes;

impl Adapters for Fakes {
    type Store = Sqlite<Pooled>;
    type Artifacts = FakeCache;
    type Blobs = FakeBlobs;
    type Embedder = FakeModel;
    type TextExtractor = FakeExtractor;
    type Wakeups = Counter;
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let scratch = Scratch::new().await;
        let clock = Arc::new(FakeClock(Mutex::new(at(0))));
        let service = Service {
            store: scratch.store.clone(),
            artifacts: FakeCache::default(),
            blobs: FakeBlobs::default(),
            embedder: FakeModel::default(),
            extractor: FakeExtractor,
            wakeups: Counter::default(),
            clock: clock.clone(),
            ids: Arc::new(FakeIds),
            settings: Settings::default(),
        };
        let bench = Self {
            service,
            scratch,
            clock,
        };
        bench.use_model(Some(model("words", DIMENSIONS)));
        bench
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        *self.clock.0.lock().expect("no panic") += time;
    }

    pub(crate) fn blobs(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.service.blobs.kept.lock().expect("no panic")
    }

    pub(crate) fn break_blobs(&self, broken: bool) {
        self.service.blobs.broken.store(broken, Ordering::Relaxed);
    }

    pub(crate) fn use_model(&self, model: Option<ModelInfo>) {
        *self.service.embedder.model.lock().expect("no panic") = model;
    }

    pub(crate) fn break_model(&self, broken: bool) {
        self.service
            .embedder
            .broken
            .store(broken, Ordering::Relaxed);
    }

    pub(crate) fn wakeups(&self) -> u32 {
        self.service.wakeups.0.load(Ordering::Relaxed)
    }
}

struct FakeClock(Mutex<SystemTime>);

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().expect("no panic")
    }
}

struct FakeIds;

impl Ids for FakeIds {
    fn next(&self) -> u128 {
        fresh()
    }
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU32);

impl Wakeups for Counter {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Key = (OrganizationId, ArtifactId);

#[derive(Default)]
pub(crate) struct FakeCache(Mutex<HashMap<Key, Artifact>>);

impl Cache<Key, Artifact> for FakeCache {
    async fn get(&self, key: &Key) -> Result<Option<Artifact>, CacheError> {
        Ok(self.0.lock().expect("no panic").get(key).cloned())
    }

    async fn put(&self, key: &Key, value: &Artifact, _ttl: Duration) -> Result<(), CacheError> {
        self.0.lock().expect("no panic").insert(*key, value.clone());
        Ok(())
    }

    async fn remove(&self, key: &Key) -> Result<(), CacheError> {
        self.0.lock().expect("no panic").remove(key);
        Ok(())
    }
}

type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Default)]
pub(crate) struct FakeBlobs {
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
        let kept = self.kept.lock().expect("no panic");
        let bytes = kept.get(key).ok_or(Error::NotFound)?;
        let at = |n: u64| usize::try_from(n).expect("it is small");
        let range = range.map_or(0..bytes.len(), |range| at(range.start)..at(range.end));
        Ok(FakeReader(Some(bytes[range].to_vec())))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check()?;
        self.kept.lock().expect("no panic").remove(key);
        Ok(())
    }
}

pub(crate) struct FakeWriter {
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
        let mut kept = self.kept.lock().expect("no panic");
        let replaced = kept.insert(self.key, self.bytes);
        assert_eq!(replaced, None, "a key is used once");
        Ok(Stored {
            size,
            sha256: [1; 32],
        })
    }
}

pub(crate) struct FakeReader(Option<Vec<u8>>);

impl BlobReader for FakeReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.take())
    }
}

/// Counts words: texts are near to each other that share some.
#[derive(Default)]
pub(crate) struct FakeModel {
    model: Mutex<Option<ModelInfo>>,
    broken: AtomicBool,
}

impl Embedder for FakeModel {
    fn model(&self) -> Option<ModelInfo> {
        self.model.lock().expect("no panic").clone()
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the model is down"));
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

pub(crate) struct FakeExtractor;

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
