//! Deleting bytes that belong to no artifact any more.

use crate::{
    OrganizationId, Result, Service,
    ports::{Blobs, Claim, Repository, Scope, Store, Transaction},
    service::{Adapters, upload::Draft},
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
        let (mut deleted, mut failed) = (0, None);
        for deletion in self.store.claim_blob_deletions(&claim).await? {
            let gone = self.delete_bytes(deletion.organization_id, &deletion.blob_key);
            match gone.await {
                Ok(()) => deleted += 1,
                Err(error) => failed = Some(error),
            }
        }
        // Some that cannot be deleted do not keep the others waiting.
        match failed {
            Some(error) if deleted == 0 => Err(error),
            _ => Ok(deleted),
        }
    }

    /// Writes down that the bytes of an upload are to be deleted, unless it became an artifact:
    /// answers whether. That is asked of the store, for a commit whose answer was lost may
    /// have happened.
    pub(super) async fn discard(&self, draft: &Draft) -> Result<bool> {
        let (organization, key) = (draft.organization_id, draft.blob_key.as_str());
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let waits = transaction.cancel_blob_deletion(organization, key, draft.due);
        if !waits.await? {
            // Either they became an artifact, or they were swept before they were whole.
            let found = transaction.find_artifact(organization, draft.id).await?;
            if found.is_some_and(|artifact| artifact.blob_key == key) {
                return Ok(false);
            }
        }
        transaction
            .insert_blob_deletion(organization, key, self.clock.now())
            .await?;
        transaction.commit().await?;
        Ok(true)
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
