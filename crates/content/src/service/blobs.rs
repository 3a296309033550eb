//! Deleting bytes that belong to no artifact any more.

use std::time::SystemTime;

use crate::{
    OrganizationId, Result, Service,
    ports::{Blobs, Claim, Repository, Scope, Store, Transaction},
    service::Adapters,
};

/// How many deletions one sweep claims.
const SWEEP: u32 = 100;

impl<A: Adapters> Service<A> {
    /// Deletes bytes that an earlier deletion or a broken-off upload has left,
    /// and answers how many. Whoever runs it repeats it until it answers zero,
    /// and again now and then. Bytes that cannot be deleted are tried again later.
    pub async fn sweep_blobs(&self) -> Result<u32> {
        let now = self.clock.now();
        let claim = Claim {
            limit: SWEEP,
            now,
            until: now + self.settings.lease,
        };
        let mut deleted = 0;
        for deletion in self.store.claim_blob_deletions(&claim).await? {
            self.delete_bytes(deletion.organization_id, &deletion.blob_key)
                .await?;
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Deletes the bytes of an upload that became no artifact. Whether it did is
    /// asked of the store, for a commit whose answer was lost may have happened.
    pub(super) async fn discard(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> Result<()> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let ours = transaction.cancel_blob_deletion(organization, blob_key, due);
        if !ours.await? {
            return Ok(());
        }
        transaction
            .insert_blob_deletion(organization, blob_key, self.clock.now())
            .await?;
        transaction.commit().await?;
        self.delete_bytes(organization, blob_key).await
    }

    /// Deletes bytes whose deletion is written down.
    pub(super) async fn delete_bytes(
        &self,
        organization: OrganizationId,
        blob_key: &str,
    ) -> Result<()> {
        self.blobs.delete(blob_key).await?;
        self.store
            .finish_blob_deletion(organization, blob_key)
            .await
    }
}
