//! Asking the model for vectors, and giving them to passages that have none.

use std::{collections::BTreeMap, time::SystemTime};

use crate::{
    Error, Event, IndexStatus, ModelInfo, Result, Service,
    chunk::to_unit,
    ports::{Embedder, Repository, Scope, Store, Transaction, UnembeddedChunk},
    service::Adapters,
};

impl<A: Adapters> Service<A> {
    /// Turns texts into vectors of unit length, in order, and says by which model.
    ///
    /// # Errors
    ///
    /// [`Error::NoModel`], [`Error::TextRefused`]
    pub async fn embed(&self, texts: Vec<String>) -> Result<(ModelInfo, Vec<Vec<f32>>)> {
        let model = self.embedder.model().ok_or(Error::NoModel)?;
        let vectors = self.embed_in_batches(&model, texts).await?;
        Ok((model, vectors))
    }

    async fn embed_in_batches(
        &self,
        model: &ModelInfo,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut texts = texts.into_iter().peekable();
        while texts.peek().is_some() {
            let batch = texts.by_ref().take(self.embed_batch()).collect();
            vectors.extend(self.embed_batch_of(model, batch).await?);
        }
        Ok(vectors)
    }

    /// Turns a few texts into vectors of unit length, and sees to it that they are
    /// what the model promised.
    pub(super) async fn embed_batch_of(
        &self,
        model: &ModelInfo,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>> {
        let count = texts.len();
        let vectors = self.embedder.embed(texts).await?;
        if vectors.len() != count {
            return Err(Error::unavailable(
                "the model answered too few or too many vectors",
            ));
        }
        if vectors.iter().any(|v| v.len() != model.dimensions as usize) {
            return Err(Error::unavailable(
                "the model answered vectors of another length",
            ));
        }
        let refused = || Error::TextRefused {
            reason: "it answered none that has a direction".to_owned(),
        };
        let units = vectors.into_iter().map(to_unit);
        units.map(|unit| unit.ok_or_else(refused)).collect()
    }

    /// Embeds passages that lack an embedding. A text that the model refuses is
    /// found by halving, and does not keep the others waiting.
    pub(super) async fn embed_chunks(&self, chunks: &[UnembeddedChunk]) -> Result<()> {
        let Some(model) = self.embedder.model() else {
            return self.release_chunks(chunks, self.clock.now()).await;
        };
        if let [chunk] = chunks
            && chunk.attempts > self.settings.max_index_attempts
        {
            let reason = "asking the model was begun several times and never came to an end";
            return self.was_refused(&model, chunk, reason).await;
        }
        let mut batches = vec![chunks];
        while let Some(batch) = batches.pop() {
            match self.embed_batch_of(&model, texts(batch)).await {
                Ok(vectors) => self.store_vectors(&model, batch, vectors).await?,
                Err(Error::TextRefused { reason }) => match batch {
                    [chunk] => self.was_refused(&model, chunk, &reason).await?,
                    more => {
                        let (first, second) = more.split_at(more.len() / 2);
                        batches.extend([second, first]);
                    }
                },
                Err(error) => {
                    batches.push(batch);
                    let due = self.clock.now() + self.settings.retry_delay;
                    self.release_chunks(&batches.concat(), due).await?;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn store_vectors(
        &self,
        model: &ModelInfo,
        chunks: &[UnembeddedChunk],
        vectors: Vec<Vec<f32>>,
    ) -> Result<()> {
        let mut owned = BTreeMap::<_, Vec<_>>::new();
        for (chunk, vector) in chunks.iter().zip(vectors) {
            let embeddings = owned.entry(chunk.organization_id).or_default();
            embeddings.push((chunk.id, vector));
        }
        for (organization, embeddings) in owned {
            let transaction = self.store.begin(Scope::Organization(organization)).await?;
            let recovered = transaction
                .store_embeddings(organization, model, &embeddings)
                .await?;
            for id in &recovered {
                let artifact = transaction.find_artifact(organization, *id).await?;
                let event = Event::ArtifactIndexed {
                    artifact_id: *id,
                    chunks: artifact.map_or(0, |artifact| i64::from(artifact.chunk_count)),
                };
                transaction
                    .record(&self.event(organization, None, event))
                    .await?;
            }
            transaction.commit().await?;
            for id in recovered {
                self.forget_artifact(organization, id).await;
            }
        }
        Ok(())
    }

    /// Lets a passage that was refused wait for its next attempt, or for none.
    async fn was_refused(
        &self,
        model: &ModelInfo,
        chunk: &UnembeddedChunk,
        reason: &str,
    ) -> Result<()> {
        if chunk.attempts < self.settings.max_index_attempts {
            return Ok(());
        }
        let organization = chunk.organization_id;
        let reason = format!("a passage of it is found by its words only: {reason}");
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let refused = transaction.refuse_embedding(organization, model, chunk.id, &reason);
        let Some(artifact_id) = refused.await? else {
            return Ok(());
        };
        let event = Event::ArtifactIndexFailed {
            artifact_id,
            status: IndexStatus::Failed,
            reason,
        };
        transaction
            .record(&self.event(organization, None, event))
            .await?;
        transaction.commit().await?;
        self.forget_artifact(organization, artifact_id).await;
        Ok(())
    }

    /// Hands claims on passages back, as if they had not been made.
    pub(super) async fn release_chunks(
        &self,
        chunks: &[UnembeddedChunk],
        due: SystemTime,
    ) -> Result<()> {
        for owned in chunks.chunk_by(|a, b| a.organization_id == b.organization_id) {
            let ids: Vec<_> = owned.iter().map(|chunk| chunk.id).collect();
            self.store
                .release_unembedded(owned[0].organization_id, &ids, due)
                .await?;
        }
        Ok(())
    }

    /// How many texts to give to the model at once.
    pub(super) fn embed_batch(&self) -> usize {
        self.settings.embed_batch.max(1) as usize
    }
}

fn texts(chunks: &[UnembeddedChunk]) -> Vec<String> {
    chunks.iter().map(|chunk| chunk.text.clone()).collect()
}
