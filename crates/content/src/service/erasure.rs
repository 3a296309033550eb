//! Erasing what an organization has that is no more.
//!
//! First it is written down, and from then on nothing can be added. Then all goes
//! piece by piece, so that nobody else who writes has to wait for long; whoever
//! dies in between leaves the rest to the next.

use std::time::Duration;

use crate::{
    Artifact, ArtifactFilter, ArtifactSort, Event, LabelSort, OrganizationId, Result, Service,
    Slice,
    ports::{Claim, Repository, Scope, Store, Transaction},
    service::{Adapters, Open, told},
};

/// How many rows one transaction deletes, about.
const PIECE: u32 = 500;

/// How many erasures are worked on at once.
const ERASURES: u32 = 10;

/// How long after its beginning an erasure is looked at again, for what was being
/// added at that moment.
const SETTLED: Duration = Duration::from_hours(1);

/// How long to wait before looking again.
const AGAIN: Duration = Duration::from_mins(10);

impl<A: Adapters> Service<A> {
    /// Begins to erase all that an organization has. Nothing can be added to it
    /// any more, ever. Doing it again changes nothing.
    pub async fn begin_erasure(&self, organization: OrganizationId) -> Result<()> {
        let now = self.clock.now();
        self.store.begin_erasure(organization, now).await
    }

    /// Erases a piece of what organizations had, and answers how many artifacts,
    /// passages and labels that was. Whoever runs it repeats it until it answers
    /// zero, and again now and then.
    pub async fn erase(&self) -> Result<u64> {
        let now = self.clock.now();
        let claim = Claim {
            limit: ERASURES,
            now,
            until: now + self.settings.lease,
        };
        let mut erased = 0;
        for erasure in self.store.claim_erasures(&claim).await? {
            let organization = erasure.organization_id;
            let piece = self.erase_piece(organization).await?;
            let due = if piece > 0 {
                Some(now)
            } else {
                (now < erasure.begun_at + SETTLED).then_some(now + AGAIN)
            };
            self.store.schedule_erasure(organization, due).await?;
            erased += u64::from(piece);
        }
        if erased > 0 {
            // What fails here is made up for by the next sweep.
            _ = self.sweep_blobs().await;
        }
        Ok(erased)
    }

    async fn erase_piece(&self, organization: OrganizationId) -> Result<u32> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let filter = ArtifactFilter::default();
        let first = first(ArtifactSort::CreatedAt);
        let page = transaction.list_artifacts(organization, &filter, &first);
        let artifacts = page.await?.items;
        let mut erased = 0;
        for artifact in &artifacts {
            erased += self
                .erase_artifact(&transaction, artifact, PIECE - erased)
                .await?;
            if erased >= PIECE {
                break;
            }
        }
        if artifacts.is_empty() {
            erased = self.erase_labels(&transaction, organization).await?;
        }
        transaction.commit().await?;
        for artifact in artifacts {
            self.forget_artifact(organization, artifact.id).await;
        }
        Ok(erased)
    }

    /// Deletes passages of an artifact, and the artifact if that were all. Answers
    /// how many rows that was, at most `limit`.
    async fn erase_artifact(
        &self,
        transaction: &Open<A>,
        artifact: &Artifact,
        limit: u32,
    ) -> Result<u32> {
        let (organization, id) = (artifact.organization_id, artifact.id);
        let passages = transaction.delete_passages(organization, id, limit).await?;
        if passages == limit {
            return Ok(passages);
        }
        transaction.delete_artifact(organization, id).await?;
        let now = self.clock.now();
        transaction
            .insert_blob_deletion(organization, &artifact.blob_key, now)
            .await?;
        let event = Event::ArtifactDeleted {
            artifact_id: id,
            bytes: told(artifact.size),
        };
        transaction
            .record(&self.event(organization, None, event))
            .await?;
        Ok(passages + 1)
    }

    async fn erase_labels(
        &self,
        transaction: &Open<A>,
        organization: OrganizationId,
    ) -> Result<u32> {
        let first = first(LabelSort::Name);
        let page = transaction.list_labels(organization, &first).await?;
        let mut erased = 0;
        for label in page.items {
            transaction.delete_label(organization, label.id).await?;
            let event = Event::LabelDeleted { label_id: label.id };
            transaction
                .record(&self.event(organization, None, event))
                .await?;
            erased += 1;
        }
        Ok(erased)
    }
}

/// The first of a list.
const fn first<S>(sort: S) -> Slice<S> {
    Slice {
        limit: 100,
        after: None,
        sort,
        descending: false,
    }
}
