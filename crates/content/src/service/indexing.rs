//! Making artifacts searchable, in the background.
//!
//! The column that says how far an artifact is on its way into search is the
//! queue. Whoever indexes claims an artifact for a while; a node that dies in
//! between costs that while and an attempt, and one that comes back late finds
//! its fence outdated.

use crate::{
    Artifact, ArtifactId, Chunk, ChunkId, Error, Event, IndexStatus, ModelInfo, OrganizationId,
    Result, Service, UserId,
    ports::{
        Claim, Embedder, ExtractionError, IndexJob, NewIndex, Passage, Repository, Scope, Store,
        TextExtractor, Transaction,
    },
    service::Adapters,
};

/// Why a claim ends early.
enum Stop {
    /// The artifact cannot be searched, and why.
    Refused(IndexStatus, String),
    /// Somebody else has claimed it, or it is gone.
    Lost,
    /// An adapter failed: the artifact is tried again.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<A: Adapters> Service<A> {
    /// Indexes the artifact that has waited longest, and answers which; `None` if
    /// none waits. Whoever runs it repeats it until it answers `None`, and again
    /// when woken and now and then.
    ///
    /// # Errors
    ///
    /// The failure of an adapter, which costs the artifact no attempt: it is
    /// tried again later. Where only embedding failed, the artifact can be
    /// searched by words, and [`embed_missing`](Self::embed_missing) does the rest.
    pub async fn index_next(&self) -> Result<Option<ArtifactId>> {
        let now = self.clock.now();
        let claim = Claim {
            limit: 1,
            now,
            until: now + self.settings.lease,
        };
        let Some(job) = self.store.claim_unindexed(&claim).await?.pop() else {
            return Ok(None);
        };
        let id = job.artifact.id;
        match self.index(&job).await {
            Ok(()) | Err(Stop::Lost) => {}
            Err(Stop::Refused(status, reason)) => self.refuse(&job, status, reason).await?,
            Err(Stop::Failed(error)) => {
                self.release(&job).await?;
                return Err(error);
            }
        }
        Ok(Some(id))
    }

    async fn index(&self, job: &IndexJob) -> Result<(), Stop> {
        if job.attempts > self.settings.max_index_attempts {
            let reason = "indexing it was begun several times and never came to an end";
            return Err(Stop::Refused(IndexStatus::Failed, reason.to_owned()));
        }
        let text = self.extract(job).await?;
        self.keep(job).await?;
        let passages = self.extractor.split(&text).await?;
        if passages.is_empty() {
            let reason = "no text can be found in it";
            return Err(Stop::Refused(IndexStatus::Unsupported, reason.to_owned()));
        }
        let mut chunks = self.chunks(job.artifact.id, passages);
        let model = self.embed_first(job, &mut chunks).await?;
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

    async fn extract(&self, job: &IndexJob) -> Result<String, Stop> {
        let artifact = &job.artifact;
        let bytes = self.bytes_to_index(artifact).await?;
        self.keep(job).await?;
        let extracted = self
            .extractor
            .extract(bytes, &artifact.media_type, &artifact.name)
            .await;
        match extracted {
            // A null character is no text, and Postgres cannot keep it.
            Ok(extracted) => Ok(extracted.text.replace('\0', " ")),
            Err(error) => {
                let status = match error {
                    ExtractionError::Unsupported => IndexStatus::Unsupported,
                    ExtractionError::Damaged(_) => IndexStatus::Failed,
                };
                Err(Stop::Refused(status, error.to_string()))
            }
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
    async fn embed_first(
        &self,
        job: &IndexJob,
        chunks: &mut [Chunk],
    ) -> Result<Option<ModelInfo>, Stop> {
        let Some(model) = self.embedder.model() else {
            return Ok(None);
        };
        let first = chunks
            .len()
            .min(self.settings.max_embedded_at_once as usize);
        for batch in chunks[..first].chunks_mut(self.embed_batch()) {
            self.keep(job).await?;
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
        Ok(Some(model))
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
        let event = Event::ArtifactIndexed {
            artifact_id: id,
            chunks: i64::try_from(index.chunks.len()).unwrap_or(i64::MAX),
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

    /// Makes a claim last for another while.
    async fn keep(&self, job: &IndexJob) -> Result<(), Stop> {
        let until = self.clock.now() + self.settings.lease;
        let artifact = &job.artifact;
        let kept = self
            .store
            .extend_index_claim(artifact.organization_id, artifact.id, job.fence, until)
            .await?;
        if kept { Ok(()) } else { Err(Stop::Lost) }
    }

    /// Hands a claim back, to be tried again later.
    async fn release(&self, job: &IndexJob) -> Result<()> {
        let due = self.clock.now() + self.settings.retry_delay;
        let artifact = &job.artifact;
        self.store
            .release_index_claim(artifact.organization_id, artifact.id, job.fence, due)
            .await?;
        Ok(())
    }
}
