//! Asking the model for vectors, and giving them to passages that have none.

use std::collections::BTreeMap;

use crate::{
    Error, ModelInfo, Result, Service,
    chunk::to_unit,
    ports::{Claim, Embedder, Repository},
    service::Adapters,
};

impl<A: Adapters> Service<A> {
    /// Turns texts into vectors of unit length, in order, and says by which model.
    ///
    /// # Errors
    ///
    /// [`Error::NoModel`]
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
        vectors
            .into_iter()
            .map(|vector| {
                to_unit(vector)
                    .filter(|unit| unit.len() == model.dimensions as usize)
                    .ok_or_else(|| {
                        Error::unavailable("the model answered something else than vectors")
                    })
            })
            .collect()
    }

    /// Embeds some passages that have no embedding of the model in use: the model
    /// was not there when they were indexed, failed then, or is another one.
    /// Answers how many; whoever runs it repeats it until it answers zero, and
    /// again now and then.
    pub async fn embed_missing(&self) -> Result<u32> {
        let Some(model) = self.embedder.model() else {
            return Ok(0);
        };
        let now = self.clock.now();
        let claim = Claim {
            limit: self.settings.embed_batch.max(1),
            now,
            until: now + self.settings.lease,
        };
        let chunks = self.store.claim_unembedded(&model, &claim).await?;
        if chunks.is_empty() {
            return Ok(0);
        }
        let texts = chunks.iter().map(|chunk| chunk.text.clone()).collect();
        let vectors = self.embed_batch_of(&model, texts).await?;
        let mut embedded = 0;
        let mut by_organization = BTreeMap::<_, Vec<_>>::new();
        for (chunk, vector) in chunks.into_iter().zip(vectors) {
            let of_one = by_organization.entry(chunk.organization_id).or_default();
            of_one.push((chunk.id, vector));
            embedded += 1;
        }
        for (organization, embeddings) in by_organization {
            self.store
                .store_embeddings(organization, &model, &embeddings)
                .await?;
        }
        Ok(embedded)
    }

    /// How many texts to give to the model at once.
    pub(super) fn embed_batch(&self) -> usize {
        self.settings.embed_batch.max(1) as usize
    }
}
