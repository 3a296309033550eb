//! The tables of content: artifacts and their labels, passages with their words
//! and vectors, and bytes that wait to be deleted.
//!
//! Most calls are more than one statement, so each runs as one task on the
//! thread of its connection instead of going there and back for every statement.

mod artifacts;
mod blobs;
mod chunks;
mod erasures;
mod filter;
mod indexing;
mod labels;
mod models;
mod search;
mod task;
mod vectors;

use std::time::SystemTime;

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, ChunkId, Error, Hit, IndexStatus, Label,
    LabelId, LabelSort, ModelInfo, OrganizationId, Page, Recorded, Result, SearchFilter, Slice,
    ports::{
        BlobDeletion, Claim, Erasure, IndexJob, Leftover, NewIndex, Repository, Scope, Store,
        Transaction, UnembeddedChunk,
    },
};

use crate::{
    events::new_event,
    lend::{Lend, Open, Pooled, Sqlite},
};

use crate::task::{reading, writing};

impl<L: Lend> Repository for Sqlite<L> {
    async fn insert_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> Result<()> {
        let artifact = artifact.clone();
        writing(&self.0, move |c| {
            artifacts::insert(c, organization, &artifact)
        })
        .await
    }

    async fn find_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<Artifact>> {
        reading(&self.0, move |c| artifacts::find(c, organization, id)).await
    }

    async fn list_artifacts(
        &self,
        organization: OrganizationId,
        filter: &ArtifactFilter,
        slice: &Slice<ArtifactSort>,
    ) -> Result<Page<Artifact>> {
        let (filter, slice) = (filter.clone(), slice.clone());
        reading(&self.0, move |c| {
            artifacts::list(c, organization, &filter, &slice)
        })
        .await
    }

    async fn update_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> Result<()> {
        let artifact = artifact.clone();
        writing(&self.0, move |c| {
            artifacts::update(c, organization, &artifact)
        })
        .await
    }

    async fn delete_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<Leftover>> {
        writing(&self.0, move |c| artifacts::delete(c, organization, id)).await
    }

    async fn find_text(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<String>> {
        reading(&self.0, move |c| artifacts::find_text(c, organization, id)).await
    }

    async fn insert_label(&self, organization: OrganizationId, label: &Label) -> Result<()> {
        let label = label.clone();
        writing(&self.0, move |c| labels::insert(c, organization, &label)).await
    }

    async fn find_label(&self, organization: OrganizationId, id: LabelId) -> Result<Option<Label>> {
        reading(&self.0, move |c| labels::find(c, organization, id)).await
    }

    async fn ensure_labels(
        &self,
        organization: OrganizationId,
        labels: &[Label],
    ) -> Result<Vec<Label>> {
        let labels = labels.to_vec();
        writing(&self.0, move |c| labels::ensure(c, organization, labels)).await
    }

    async fn list_labels(
        &self,
        organization: OrganizationId,
        slice: &Slice<LabelSort>,
    ) -> Result<Page<Label>> {
        let slice = slice.clone();
        reading(&self.0, move |c| labels::list(c, organization, &slice)).await
    }

    async fn take_off_label(
        &self,
        organization: OrganizationId,
        id: LabelId,
        limit: u32,
        now: SystemTime,
    ) -> Result<Vec<Artifact>> {
        writing(&self.0, move |c| {
            labels::take_off(c, organization, id, limit, now)
        })
        .await
    }

    async fn delete_label(&self, organization: OrganizationId, id: LabelId) -> Result<bool> {
        writing(&self.0, move |c| labels::delete(c, organization, id)).await
    }

    async fn insert_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> Result<()> {
        let key = blob_key.to_owned();
        writing(&self.0, move |c| blobs::insert(c, organization, &key, due)).await
    }

    async fn cancel_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> Result<bool> {
        let key = blob_key.to_owned();
        writing(&self.0, move |c| blobs::cancel(c, organization, &key, due)).await
    }

    async fn claim_blob_deletions(&self, claim: &Claim) -> Result<Vec<BlobDeletion>> {
        let claim = *claim;
        writing(&self.0, move |c| blobs::claim(c, claim)).await
    }

    async fn finish_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
    ) -> Result<()> {
        let key = blob_key.to_owned();
        writing(&self.0, move |c| blobs::finish(c, organization, &key)).await
    }

    async fn begin_erasure(&self, organization: OrganizationId, now: SystemTime) -> Result<()> {
        writing(&self.0, move |c| erasures::begin(c, organization, now)).await
    }

    async fn claim_erasures(&self, claim: &Claim) -> Result<Vec<Erasure>> {
        let claim = *claim;
        if !reading(&self.0, move |c| erasures::any_due(c, claim.now)).await? {
            return Ok(Vec::new());
        }
        writing(&self.0, move |c| erasures::claim(c, claim)).await
    }

    async fn schedule_erasure(
        &self,
        organization: OrganizationId,
        due: Option<SystemTime>,
    ) -> Result<()> {
        writing(&self.0, move |c| erasures::schedule(c, organization, due)).await
    }

    async fn delete_passages(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        limit: u32,
    ) -> Result<u32> {
        writing(&self.0, move |c| {
            chunks::delete_some(c, organization, id, limit)
        })
        .await
    }

    async fn claim_unindexed(&self, claim: &Claim) -> Result<Vec<IndexJob>> {
        let claim = *claim;
        // A look by a reader first: most of the time nothing waits, and looking
        // must not keep those who write waiting.
        if !reading(&self.0, move |c| indexing::any_due(c, claim.now)).await? {
            return Ok(Vec::new());
        }
        writing(&self.0, move |c| indexing::claim(c, claim)).await
    }

    async fn extend_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        until: SystemTime,
    ) -> Result<bool> {
        writing(&self.0, move |c| {
            indexing::extend(c, organization, id, fence, until)
        })
        .await
    }

    async fn release_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        due: SystemTime,
    ) -> Result<bool> {
        writing(&self.0, move |c| {
            indexing::release(c, organization, id, fence, due)
        })
        .await
    }

    async fn finish_unindexed(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        status: IndexStatus,
        error: &str,
    ) -> Result<bool> {
        let error = error.to_owned();
        writing(&self.0, move |c| {
            indexing::finish(c, organization, id, fence, status, &error)
        })
        .await
    }

    async fn replace_chunks(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        index: &NewIndex,
    ) -> Result<bool> {
        let index = index.clone();
        writing(&self.0, move |c| {
            chunks::replace(c, organization, id, &index)
        })
        .await
    }

    async fn claim_unembedded(
        &self,
        model: &ModelInfo,
        claim: &Claim,
    ) -> Result<Vec<UnembeddedChunk>> {
        let (model, claim) = (model.clone(), *claim);
        let candidates = {
            let model = model.clone();
            reading(&self.0, move |c| chunks::unembedded(c, &model, claim)).await?
        };
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        writing(&self.0, move |c| chunks::claim_unembedded(c, &model, claim)).await
    }

    async fn store_embeddings(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embeddings: &[(ChunkId, Vec<f32>)],
    ) -> Result<Vec<ArtifactId>> {
        let (model, embeddings) = (model.clone(), embeddings.to_vec());
        writing(&self.0, move |c| {
            chunks::store_embeddings(c, organization, &model, &embeddings)
        })
        .await
    }

    async fn release_unembedded(
        &self,
        organization: OrganizationId,
        passages: &[ChunkId],
        due: SystemTime,
    ) -> Result<()> {
        let passages = passages.to_vec();
        writing(&self.0, move |c| {
            chunks::release_unembedded(c, organization, &passages, due)
        })
        .await
    }

    async fn refuse_embedding(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        passage: ChunkId,
        error: &str,
    ) -> Result<Option<ArtifactId>> {
        let (model, error) = (model.clone(), error.to_owned());
        writing(&self.0, move |c| {
            chunks::refuse_embedding(c, organization, &model, passage, &error)
        })
        .await
    }

    async fn list_models(&self, organization: OrganizationId) -> Result<Vec<ModelInfo>> {
        reading(&self.0, move |c| models::list(c, organization)).await
    }

    async fn search_semantic(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embedding: &[f32],
        filter: &SearchFilter,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let (model, embedding, filter) = (model.clone(), embedding.to_vec(), filter.clone());
        reading(&self.0, move |c| {
            search::semantic(c, organization, &model, &embedding, &filter, limit)
        })
        .await
    }

    async fn search_keyword(
        &self,
        organization: OrganizationId,
        query: &str,
        filter: &SearchFilter,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let (query, filter) = (query.to_owned(), filter.clone());
        reading(&self.0, move |c| {
            search::keyword(c, organization, &query, &filter, limit)
        })
        .await
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.append([new_event!(event)])
            .await
            .map_err(Error::unavailable)
    }
}

impl Store for Sqlite<Pooled> {
    type Transaction = Sqlite<Open>;

    /// The scope matters to row-level security, which there is none of here: every
    /// query names its organization.
    async fn begin(&self, _scope: Scope) -> Result<Sqlite<Open>> {
        self.0.0.begin().await.map_err(Error::unavailable)
    }
}

impl Transaction for Sqlite<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await.map_err(Error::unavailable)
    }
}
