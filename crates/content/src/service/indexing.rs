//! Making artifacts searchable, in the background.
//!
//! The column that says how far an artifact is on its way into search is the
//! queue. Whoever indexes claims an artifact for a while and makes that last; a
//! node that dies in between costs that while and an attempt, and one that comes
//! back late finds its fence outdated.

use std::time::SystemTime;

use crate::{
    Artifact, ArtifactId, Chunk, ChunkId, Error, Event, IndexStatus, ModelInfo, OrganizationId,
    Result, Service, UserId,
    ports::{
        Claim, Embedder, ExtractionError, IndexJob, NewIndex, Passage, Repository, Scope, Store,
        TextExtractor, Transaction, UnembeddedChunk,
    },
    service::Adapters,
};

/// Work that makes something searchable, claimed.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexWork {
    /// An artifact to index.
    Index(Box<IndexJob>),
    /// Passages that lack an embedding: the model was not there when they were
    /// indexed, failed then, or is another one.
    Embed(Vec<UnembeddedChunk>),
}

/// Why a claim ends early.
enum Stop {
    /// The artifact cannot be searched, and why.
    Refused(IndexStatus, String),
    /// Somebody else has claimed it, or it is gone.
    Lost,
    /// What is needed is out of order, whichever artifact it is: it is tried again
    /// for as long as that takes.
    Failed(Error),
    /// It is not known that the artifact is not to blame: it is tried again, and
    /// the attempt counts.
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<A: Adapters> Service<A> {
    /// Claims something to do; `None` if there is nothing. New artifacts go before
    /// passages that lack an embedding: those are found by words already.
    ///
    /// Whoever claims does it by [`work`](Self::work), calls [`keep`](Self::keep)
    /// meanwhile, several times per [`lease`](crate::Settings::lease), and repeats
    /// this until there is nothing, and again when woken and now and then.
    pub async fn claim_work(&self) -> Result<Option<IndexWork>> {
        let now = self.clock.now();
        let claim = |limit| Claim {
            limit,
            now,
            until: now + self.settings.lease,
        };
        if let Some(job) = self.store.claim_unindexed(&claim(1)).await?.pop() {
            return Ok(Some(IndexWork::Index(Box::new(job))));
        }
        let Some(model) = self.embedder.model() else {
            return Ok(None);
        };
        let limit = claim(self.settings.embed_batch.max(1));
        let chunks = self.store.claim_unembedded(&model, &limit).await?;
        Ok((!chunks.is_empty()).then_some(IndexWork::Embed(chunks)))
    }

    /// Makes a claim last for another while. Answers whether it is still held;
    /// if not, there is nothing more to do about it.
    pub async fn keep(&self, work: &IndexWork) -> Result<bool> {
        let IndexWork::Index(job) = work else {
            // A batch is done with sooner, and doing it twice does no harm.
            return Ok(true);
        };
        let until = self.clock.now() + self.settings.lease;
        let artifact = &job.artifact;
        self.store
            .extend_index_claim(artifact.organization_id, artifact.id, job.fence, until)
            .await
    }

    /// Does what was claimed.
    ///
    /// # Errors
    ///
    /// The failure of an adapter. What was claimed is tried again later, and it
    /// costs an attempt only if it may itself be the reason.
    pub async fn work(&self, work: &IndexWork) -> Result<()> {
        match work {
            IndexWork::Index(job) => self.index_job(job).await,
            IndexWork::Embed(chunks) => self.embed_chunks(chunks).await,
        }
    }

    /// Hands a claim back that whoever holds it has no time for, as if it had
    /// never been made.
    pub async fn hand_back(&self, work: &IndexWork) -> Result<()> {
        let now = self.clock.now();
        match work {
            IndexWork::Index(job) => self.release(job, now).await,
            IndexWork::Embed(chunks) => self.release_chunks(chunks, now).await,
        }
    }

    async fn index_job(&self, job: &IndexJob) -> Result<()> {
        match self.index(job).await {
            Ok(()) | Err(Stop::Lost) => Ok(()),
            Err(Stop::Refused(status, reason)) => self.refuse(job, status, reason).await,
            Err(Stop::Failed(error)) => {
                let due = self.clock.now() + self.settings.retry_delay;
                self.release(job, due).await?;
                Err(error)
            }
            Err(Stop::Broken(error)) => Err(error),
        }
    }

    async fn index(&self, job: &IndexJob) -> Result<(), Stop> {
        if job.attempts > self.settings.max_index_attempts {
            let reason = "indexing it was begun several times and never came to an end";
            return Err(Stop::Refused(IndexStatus::Failed, reason.to_owned()));
        }
        let text = self.extract(&job.artifact).await?;
        let passages = self.extractor.split(&text).await.map_err(Stop::Broken)?;
        if passages.is_empty() {
            let reason = "no text can be found in it";
            return Err(Stop::Refused(IndexStatus::Unsupported, reason.to_owned()));
        }
        let mut chunks = self.chunks(job.artifact.id, passages);
        let model = self.embed_first(&mut chunks).await;
        let index = NewIndex {
            fence: Some(job.fence),
            text: Some(text),
            chunks,
            model,
        };
        let artifact = &job.artifact;
        let indexed = self.replace_chunks(artifact.organization_id, None, artifact.id, &index);
        if !indexed.await? {
            return Err(Stop::Lost);
        }
        Ok(())
    }

    async fn extract(&self, artifact: &Artifact) -> Result<String, Stop> {
        let bytes = self.bytes_to_index(artifact).await?;
        let extracted = self
            .extractor
            .extract(bytes, &artifact.media_type, &artifact.name)
            .await;
        match extracted {
            // A null character is no text, and Postgres cannot keep it.
            Ok(extracted) => Ok(extracted.text.replace('\0', " ")),
            Err(error) => Err(match error {
                ExtractionError::Unsupported => {
                    Stop::Refused(IndexStatus::Unsupported, error.to_string())
                }
                ExtractionError::Damaged(reason) => Stop::Refused(IndexStatus::Failed, reason),
                ExtractionError::Busy => Stop::Broken(Error::unavailable(error)),
            }),
        }
    }

    async fn bytes_to_index(&self, artifact: &Artifact) -> Result<Vec<u8>, Stop> {
        let limit = self.settings.max_indexed_bytes;
        match self.read_all(artifact, limit).await {
            Ok(bytes) => Ok(bytes),
            Err(Error::TooLarge { limit }) => {
                let reason = format!("only artifacts of up to {limit} bytes are read for search");
                Err(Stop::Refused(IndexStatus::Failed, reason))
            }
            Err(Error::NotFound) => {
                let reason = "its bytes are missing";
                Err(Stop::Refused(IndexStatus::Failed, reason.to_owned()))
            }
            Err(error) => Err(Stop::Failed(error)),
        }
    }

    /// Embeds the passages, as far as there is a model and it answers.
    async fn embed_first(&self, chunks: &mut [Chunk]) -> Option<ModelInfo> {
        let model = self.embedder.model()?;
        let first = chunks
            .len()
            .min(self.settings.max_embedded_at_once as usize);
        for batch in chunks[..first].chunks_mut(self.embed_batch()) {
            let texts = batch.iter().map(|chunk| chunk.text.clone()).collect();
            // A model that fails must not keep the words from being found. Whoever
            // embeds what is missing meets the failure again, and reports it.
            let Ok(vectors) = self.embed_batch_of(&model, texts).await else {
                break;
            };
            for (chunk, vector) in batch.iter_mut().zip(vectors) {
                chunk.embedding = Some(vector);
            }
        }
        Some(model)
    }

    /// Makes passages of an artifact, without embeddings.
    pub(super) fn chunks(&self, artifact: ArtifactId, passages: Vec<Passage>) -> Vec<Chunk> {
        passages
            .into_iter()
            .zip(0..)
            .map(|(passage, position)| Chunk {
                id: ChunkId(self.ids.next()),
                artifact_id: artifact,
                position,
                text: passage.text,
                start: passage.start,
                end: passage.end,
                embedding: None,
            })
            .collect()
    }

    /// Replaces the passages of an artifact. Answers whether it did.
    pub(super) async fn replace_chunks(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: ArtifactId,
        index: &NewIndex,
    ) -> Result<bool> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        if !transaction.replace_chunks(organization, id, index).await? {
            return Ok(false);
        }
        let chunks = i64::try_from(index.chunks.len()).unwrap_or(i64::MAX);
        let artifact_id = id;
        let event = match index.status() {
            IndexStatus::Embedding => Event::ArtifactSplit {
                artifact_id,
                chunks,
            },
            _ => Event::ArtifactIndexed {
                artifact_id,
                chunks,
            },
        };
        transaction
            .record(&self.event(organization, actor, event))
            .await?;
        transaction.commit().await?;
        self.forget_artifact(organization, id).await;
        Ok(true)
    }

    /// Writes that an artifact cannot be searched.
    async fn refuse(&self, job: &IndexJob, status: IndexStatus, reason: String) -> Result<()> {
        let (organization, id) = (job.artifact.organization_id, job.artifact.id);
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let written = transaction
            .finish_unindexed(organization, id, job.fence, status, &reason)
            .await?;
        if !written {
            return Ok(());
        }
        let event = Event::ArtifactIndexFailed {
            artifact_id: id,
            status,
            reason,
        };
        transaction
            .record(&self.event(organization, None, event))
            .await?;
        transaction.commit().await?;
        self.forget_artifact(organization, id).await;
        Ok(())
    }

    /// Hands a claim back, to be tried again later.
    async fn release(&self, job: &IndexJob, due: SystemTime) -> Result<()> {
        let artifact = &job.artifact;
        self.store
            .release_index_claim(artifact.organization_id, artifact.id, job.fence, due)
            .await?;
        Ok(())
    }
}
