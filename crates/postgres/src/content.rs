//! The tables of content: artifacts and their labels, passages with their words and vectors, and
//! bytes that wait to be deleted.

mod artifacts;
mod blobs;
mod chunks;
mod embeddings;
mod erasures;
mod filter;
mod indexing;
mod labels;
mod models;
mod search;
mod vectors;
mod words;

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
    errand::{Link, read, together, write},
    events::new_event,
    lend::{Lend, Open, Pooled, Postgres},
    session::Scope as For,
    task,
};
use search::Wanted;

/// What a task of this domain comes to.
type TaskResult<T> = task::TaskResult<T, Error>;

/// Why a task of this domain failed.
type Failure = task::TaskError<Error>;

/// What belongs to an organization.
const fn of(organization: OrganizationId) -> For {
    For::Tenant(organization.0)
}

impl<L: Lend> Repository for Postgres<L> {
    async fn insert_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> Result<()> {
        let insert = async |link: Link<'_>| artifacts::insert(link, organization, artifact).await;
        self.0.run(together(of(organization)), insert).await
    }

    async fn find_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<Artifact>> {
        let find = async |link: Link<'_>| artifacts::find(link, organization, id).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn list_artifacts(
        &self,
        organization: OrganizationId,
        filter: &ArtifactFilter,
        slice: &Slice<ArtifactSort>,
    ) -> Result<Page<Artifact>> {
        let list = async |link: Link<'_>| artifacts::list(link, organization, filter, slice).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn update_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> Result<()> {
        let update = async |link: Link<'_>| artifacts::update(link, organization, artifact).await;
        self.0.run(write(of(organization)), update).await
    }

    async fn delete_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<Leftover>> {
        let delete = async |link: Link<'_>| artifacts::delete(link, organization, id).await;
        let errand = write(of(organization)).at_length();
        self.0.run(errand, delete).await
    }

    async fn find_text(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<String>> {
        let find = async |link: Link<'_>| artifacts::find_text(link, organization, id).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn insert_label(&self, organization: OrganizationId, label: &Label) -> Result<()> {
        let insert = async |link: Link<'_>| labels::insert(link, organization, label).await;
        self.0.run(together(of(organization)), insert).await
    }

    async fn find_label(&self, organization: OrganizationId, id: LabelId) -> Result<Option<Label>> {
        let find = async |link: Link<'_>| labels::find(link, organization, id).await;
        self.0.run(read(of(organization)), find).await
    }

    async fn ensure_labels(
        &self,
        organization: OrganizationId,
        labels: &[Label],
    ) -> Result<Vec<Label>> {
        let ensure = async |link: Link<'_>| labels::ensure(link, organization, labels).await;
        self.0.run(together(of(organization)), ensure).await
    }

    async fn list_labels(
        &self,
        organization: OrganizationId,
        slice: &Slice<LabelSort>,
    ) -> Result<Page<Label>> {
        let list = async |link: Link<'_>| labels::list(link, organization, slice).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn take_off_label(
        &self,
        organization: OrganizationId,
        id: LabelId,
        limit: u32,
        now: SystemTime,
    ) -> Result<Vec<Artifact>> {
        let take_off =
            async |link: Link<'_>| labels::take_off(link, organization, id, limit, now).await;
        self.0.run(together(of(organization)), take_off).await
    }

    async fn delete_label(&self, organization: OrganizationId, id: LabelId) -> Result<bool> {
        let delete = async |link: Link<'_>| labels::delete(link, organization, id).await;
        self.0.run(write(of(organization)), delete).await
    }

    async fn insert_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> Result<()> {
        let insert = async |link: Link<'_>| blobs::insert(link, organization, blob_key, due).await;
        self.0.run(write(of(organization)), insert).await
    }

    async fn cancel_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> Result<bool> {
        let cancel = async |link: Link<'_>| blobs::cancel(link, organization, blob_key, due).await;
        self.0.run(write(of(organization)), cancel).await
    }

    async fn claim_blob_deletions(&self, claim: &Claim) -> Result<Vec<BlobDeletion>> {
        let claim = async |link: Link<'_>| blobs::claim(link, *claim).await;
        self.0.run(write(For::System), claim).await
    }

    async fn finish_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
    ) -> Result<()> {
        let finish = async |link: Link<'_>| blobs::finish(link, organization, blob_key).await;
        self.0.run(write(of(organization)), finish).await
    }

    async fn begin_erasure(&self, organization: OrganizationId, now: SystemTime) -> Result<()> {
        let begin = erasures::begin(organization, now);
        self.0.later(together(of(organization)), begin).await
    }

    async fn claim_erasures(&self, claim: &Claim) -> Result<Vec<Erasure>> {
        let claim = async |link: Link<'_>| erasures::claim(link, *claim).await;
        self.0.run(write(For::System), claim).await
    }

    async fn schedule_erasure(
        &self,
        organization: OrganizationId,
        due: Option<SystemTime>,
    ) -> Result<()> {
        let schedule = async |link: Link<'_>| erasures::schedule(link, organization, due).await;
        self.0.run(write(of(organization)), schedule).await
    }

    async fn delete_passages(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        limit: u32,
    ) -> Result<u32> {
        let delete =
            async |link: Link<'_>| chunks::delete_some(link, organization, id, limit).await;
        let errand = write(of(organization)).at_length();
        self.0.run(errand, delete).await
    }

    async fn claim_unindexed(&self, claim: &Claim) -> Result<Vec<IndexJob>> {
        let claim = async |link: Link<'_>| indexing::claim(link, *claim).await;
        self.0.run(write(For::System), claim).await
    }

    async fn extend_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        until: SystemTime,
    ) -> Result<bool> {
        let extend =
            async |link: Link<'_>| indexing::extend(link, organization, id, fence, until).await;
        self.0.run(write(of(organization)), extend).await
    }

    async fn release_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        due: SystemTime,
    ) -> Result<bool> {
        let release =
            async |link: Link<'_>| indexing::release(link, organization, id, fence, due).await;
        self.0.run(write(of(organization)), release).await
    }

    async fn finish_unindexed(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        status: IndexStatus,
        error: &str,
    ) -> Result<bool> {
        let finish = async |link: Link<'_>| {
            indexing::finish(link, organization, id, fence, status, error).await
        };
        self.0.run(write(of(organization)), finish).await
    }

    async fn replace_chunks(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        index: &NewIndex,
    ) -> Result<bool> {
        let replace = async |link: Link<'_>| chunks::replace(link, organization, id, index).await;
        let errand = together(of(organization)).at_length();
        self.0.run(errand, replace).await
    }

    async fn claim_unembedded(
        &self,
        model: &ModelInfo,
        claim: &Claim,
    ) -> Result<Vec<UnembeddedChunk>> {
        let claim = async |link: Link<'_>| embeddings::claim(link, model, *claim).await;
        self.0.run(write(For::System), claim).await
    }

    async fn release_unembedded(
        &self,
        organization: OrganizationId,
        passages: &[ChunkId],
        due: SystemTime,
    ) -> Result<()> {
        let release =
            async |link: Link<'_>| embeddings::release(link, organization, passages, due).await;
        self.0.run(write(of(organization)), release).await
    }

    async fn store_embeddings(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embeddings: &[(ChunkId, Vec<f32>)],
    ) -> Result<Vec<ArtifactId>> {
        let store =
            async |link: Link<'_>| embeddings::store(link, organization, model, embeddings).await;
        let errand = together(of(organization)).at_length();
        self.0.run(errand, store).await
    }

    async fn refuse_embedding(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        passage: ChunkId,
        error: &str,
    ) -> Result<Option<ArtifactId>> {
        let refuse = async |link: Link<'_>| {
            embeddings::refuse(link, organization, model, passage, error).await
        };
        self.0.run(together(of(organization)), refuse).await
    }

    async fn list_models(&self, organization: OrganizationId) -> Result<Vec<ModelInfo>> {
        let list = async |link: Link<'_>| models::list(link, organization).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn search_semantic(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embedding: &[f32],
        filter: &SearchFilter,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let search = async |link: Link<'_>| {
            let wanted = Wanted {
                organization,
                embedding,
                filter,
                limit,
                exact_up_to: self.0.ways().exact_search_up_to,
            };
            search::semantic(link, model, wanted).await
        };
        // In a transaction, to whose end settings for the index last.
        let errand = together(of(organization)).may_lag();
        self.0.run(errand, search).await
    }

    async fn search_keyword(
        &self,
        organization: OrganizationId,
        query: &str,
        filter: &SearchFilter,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let search =
            async |link: Link<'_>| search::keyword(link, organization, query, filter, limit).await;
        let errand = read(of(organization)).may_lag();
        self.0.run(errand, search).await
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.append([new_event!(event)]).await
    }
}

impl Store for Postgres<Pooled> {
    type Transaction = Postgres<Open>;

    async fn begin(&self, scope: Scope) -> Result<Postgres<Open>> {
        let scope = match scope {
            Scope::Organization(organization) => of(organization),
            Scope::System => For::System,
        };
        self.begin_for(scope).await
    }
}

impl Transaction for Postgres<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await
    }
}
