//! Capabilities in memory.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use archesai_content::{
    Artifact, ArtifactId, ChunkId, Error, Hit, IndexStatus, Json, ModelInfo, NewArtifact,
    OrganizationId, Result, SearchRequest, UserId, ports::Passage,
};
use archesai_tools::capabilities::{
    Artifacts, Completed, Completion, LanguageModel, Usage, Web, WebRequest, WebResponse,
};
use archesai_workflows::{Actor, Clock, ToolError};
use async_trait::async_trait;

/// An artifact with its bytes, and what was made of it.
struct Stored {
    artifact: Artifact,
    bytes: Vec<u8>,
    text: Option<String>,
    passages: Vec<Passage>,
}

/// Artifacts in memory. Its model counts the letters of a text.
#[derive(Default)]
pub(crate) struct MemoryArtifacts {
    stored: Mutex<BTreeMap<ArtifactId, Stored>>,
    has_model: bool,
    is_down: bool,
}

impl MemoryArtifacts {
    /// Artifacts with a model.
    pub(crate) fn with_model() -> Self {
        Self {
            has_model: true,
            ..Self::default()
        }
    }

    /// Artifacts that cannot be reached.
    pub(crate) fn down() -> Self {
        Self {
            is_down: true,
            ..Self::default()
        }
    }

    /// Stores a document of an organization, and answers its id.
    pub(crate) fn keep(
        &self,
        actor: Actor,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> ArtifactId {
        let new = NewArtifact {
            name: name.to_owned(),
            media_type: Some(media_type.to_owned()),
            ..NewArtifact::default()
        };
        self.insert(actor, new, bytes.to_vec()).id
    }

    /// Says what text the index has of an artifact.
    pub(crate) fn index(&self, id: ArtifactId, text: &str) {
        let mut stored = self.stored.lock().unwrap();
        stored.get_mut(&id).unwrap().text = Some(text.to_owned());
    }

    pub(crate) fn count(&self) -> usize {
        self.stored.lock().unwrap().len()
    }

    pub(crate) fn content(&self, id: ArtifactId) -> Vec<u8> {
        self.stored.lock().unwrap()[&id].bytes.clone()
    }

    pub(crate) fn artifact(&self, id: ArtifactId) -> Artifact {
        self.stored.lock().unwrap()[&id].artifact.clone()
    }

    pub(crate) fn passages(&self, id: ArtifactId) -> Vec<Passage> {
        self.stored.lock().unwrap()[&id].passages.clone()
    }

    fn insert(&self, actor: Actor, new: NewArtifact, bytes: Vec<u8>) -> Artifact {
        let mut stored = self.stored.lock().unwrap();
        let id = new.id.unwrap_or(ArtifactId(1_000 + stored.len() as u128));
        let created = stored.entry(id).or_insert_with(|| Stored {
            artifact: artifact(id, actor, new, bytes.len() as u64),
            bytes,
            text: None,
            passages: Vec::new(),
        });
        created.artifact.clone()
    }

    fn with<T>(
        &self,
        actor: Actor,
        id: ArtifactId,
        read: impl FnOnce(&mut Stored) -> T,
    ) -> Result<T> {
        if self.is_down {
            return Err(Error::unavailable("the database password is hunter2"));
        }
        let mut stored = self.stored.lock().unwrap();
        let found = stored.get_mut(&id).ok_or(Error::NotFound)?;
        if found.artifact.organization_id.0 == actor.organization_id.0 {
            Ok(read(found))
        } else {
            Err(Error::NotFound)
        }
    }
}

fn artifact(id: ArtifactId, actor: Actor, new: NewArtifact, size: u64) -> Artifact {
    let metadata = match new.metadata {
        Json::Null => Json::Object(BTreeMap::new()),
        metadata => metadata,
    };
    Artifact {
        id,
        organization_id: OrganizationId(actor.organization_id.0),
        name: new.name,
        media_type: new.media_type.unwrap_or_else(|| "text/plain".to_owned()),
        size,
        sha256: [0; 32],
        blob_key: String::new(),
        metadata,
        labels: new.labels,
        index_status: IndexStatus::Pending,
        index_error: None,
        chunk_count: 0,
        version: 1,
        created_by: Some(UserId(actor.user_id.0)),
        created_at: SystemTime::UNIX_EPOCH,
        updated_at: SystemTime::UNIX_EPOCH,
    }
}

#[async_trait]
impl Artifacts for MemoryArtifacts {
    async fn find(&self, actor: Actor, id: ArtifactId) -> Result<Artifact> {
        self.with(actor, id, |found| found.artifact.clone())
    }

    async fn bytes(&self, actor: Actor, id: ArtifactId, limit: u64) -> Result<Vec<u8>> {
        let bytes = self.with(actor, id, |found| found.bytes.clone())?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        Ok(bytes)
    }

    async fn text(&self, actor: Actor, id: ArtifactId) -> Result<Option<String>> {
        self.with(actor, id, |found| found.text.clone())
    }

    async fn write(&self, actor: Actor, new: NewArtifact, bytes: Vec<u8>) -> Result<Artifact> {
        if new.name.trim().is_empty() {
            return Err(Error::Invalid {
                field: "name",
                reason: "must have 1 to 255 characters",
            });
        }
        Ok(self.insert(actor, new, bytes))
    }

    async fn search(&self, actor: Actor, request: SearchRequest) -> Result<Vec<Hit>> {
        let query = request.query.unwrap_or_default();
        let stored = self.stored.lock().unwrap();
        let mine = stored
            .values()
            .filter(|one| one.artifact.organization_id.0 == actor.organization_id.0);
        let hit = |one: &Stored, passage: &Passage| Hit {
            artifact_id: one.artifact.id,
            artifact_name: one.artifact.name.clone(),
            chunk_id: ChunkId(u128::from(passage.start)),
            text: passage.text.clone(),
            score: 0.5,
            position: 0,
        };
        let hits = mine.flat_map(|one| {
            let found = one
                .passages
                .iter()
                .filter(|passage| passage.text.contains(&query));
            found.map(move |passage| hit(one, passage))
        });
        Ok(hits.take(request.limit as usize).collect())
    }

    fn model(&self) -> Option<ModelInfo> {
        self.has_model.then(|| ModelInfo {
            name: "letters".to_owned(),
            dimensions: 3,
        })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        if !self.has_model {
            return Err(Error::NoModel);
        }
        let vector = |text: String| {
            let count = |letter| u8::try_from(text.matches(letter).count()).unwrap_or(u8::MAX);
            ['a', 'b', 'c']
                .map(|letter| f32::from(count(letter)) / 10.0)
                .to_vec()
        };
        Ok(texts.into_iter().map(vector).collect())
    }

    async fn store_passages(
        &self,
        actor: Actor,
        id: ArtifactId,
        text: Option<String>,
        passages: Vec<Passage>,
    ) -> Result<()> {
        self.with(actor, id, |found| {
            found.text = text.or(found.text.take());
            found.passages = passages;
        })
    }
}

/// A language model that says how it was asked.
#[derive(Default)]
pub(crate) struct Parrot(pub(crate) Mutex<Vec<Completion>>);

#[async_trait]
impl LanguageModel for Parrot {
    async fn complete(&self, request: Completion) -> Result<Completed, ToolError> {
        let text = request.messages.last().unwrap().content.to_uppercase();
        let model = request.model.clone().unwrap_or_else(|| "parrot".to_owned());
        self.0.lock().unwrap().push(request);
        Ok(Completed {
            text,
            model,
            finish_reason: Some("stop".to_owned()),
            usage: Some(Usage {
                input_tokens: 1_200,
                output_tokens: 7,
            }),
        })
    }
}

/// A web that keeps what it was asked and gives one answer.
pub(crate) struct OnePage {
    pub(crate) asked: Mutex<Vec<WebRequest>>,
    pub(crate) answer: Result<WebResponse, ToolError>,
}

impl OnePage {
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            asked: Mutex::default(),
            answer: Ok(WebResponse {
                status,
                headers: headers.iter().map(own).collect(),
                body: body.to_vec(),
            }),
        }
    }
}

#[async_trait]
impl Web for OnePage {
    async fn send(&self, request: WebRequest) -> Result<WebResponse, ToolError> {
        self.asked.lock().unwrap().push(request);
        self.answer.clone()
    }
}

/// A clock that stands still, an hour after the epoch.
pub(crate) struct Still;

impl Still {
    pub(crate) const NOW: Duration = Duration::from_hours(1);
}

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Self::NOW
    }
}
