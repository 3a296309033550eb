//! Reading, changing and deleting artifacts.

use std::ops::Range;

use crate::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Cache, Error, Event, Json, OrganizationId,
    Page, Result, Service, Slice, UserId,
    ports::{BlobReader, Blobs, Leftover, Repository, Scope, Store, Transaction},
    read_through, rules,
    service::{Adapters, told},
};

/// What somebody wants changed of an artifact; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct ArtifactChanges {
    /// What to call it.
    pub name: Option<String>,
    /// In place of all of the metadata so far: a JSON object.
    pub metadata: Option<Json>,
    /// In place of all labels so far; those that do not exist are made.
    pub labels: Option<Vec<String>>,
}

impl<A: Adapters> Service<A> {
    /// Finds an artifact, asking the cache first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn artifact(&self, organization: OrganizationId, id: ArtifactId) -> Result<Artifact> {
        let ttl = self.settings.cache_ttl;
        let artifact = read_through(&self.artifacts, &(organization, id), ttl, || {
            self.store.find_artifact(organization, id)
        })
        .await?;
        artifact.ok_or(Error::NotFound)
    }

    /// Lists artifacts.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a filter that nothing can meet.
    pub async fn list_artifacts(
        &self,
        organization: OrganizationId,
        filter: ArtifactFilter,
        slice: &Slice<ArtifactSort>,
    ) -> Result<Page<Artifact>> {
        let filter = rules::check_artifact_filter(filter)?;
        self.store
            .list_artifacts(organization, &filter, slice)
            .await
    }

    /// Opens the bytes of an artifact, or those in a range of them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a range that is empty or does not lie within.
    pub async fn open_content(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        range: Option<Range<u64>>,
    ) -> Result<(Artifact, <A::Blobs as Blobs>::Reader)> {
        let artifact = self.artifact(organization, id).await?;
        if let Some(range) = &range
            && (range.is_empty() || range.end > artifact.size)
        {
            return Err(Error::Invalid {
                field: "range",
                reason: "must lie within the bytes of the artifact",
            });
        }
        let reader = self.blobs.open(&artifact.blob_key, range).await?;
        Ok((artifact, reader))
    }

    /// Reads all bytes of an artifact, if they are no more than `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::TooLarge`]
    pub async fn read_content(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        limit: u64,
    ) -> Result<Vec<u8>> {
        let artifact = self.artifact(organization, id).await?;
        self.read_all(&artifact, limit).await
    }

    /// The text that was extracted from an artifact; `None` until there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn text(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> Result<Option<String>> {
        self.artifact(organization, id).await?;
        self.store.find_text(organization, id).await
    }

    /// Changes an artifact, if the stored version is one of those expected.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::NotFound`], [`Error::VersionConflict`]
    pub async fn update_artifact(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: ArtifactId,
        expected: Option<&[u64]>,
        changes: ArtifactChanges,
    ) -> Result<Artifact> {
        let found = self.store.find_artifact(organization, id).await?;
        let mut artifact = found.ok_or(Error::NotFound)?;
        if expected.is_some_and(|expected| !expected.contains(&artifact.version)) {
            return Err(Error::VersionConflict);
        }
        apply(&mut artifact, changes)?;
        artifact.version += 1;
        artifact.updated_at = self.clock.now();
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        self.make_labels(&transaction, organization, actor, &artifact.labels)
            .await?;
        transaction.update_artifact(organization, &artifact).await?;
        let event = Event::ArtifactUpdated {
            artifact_id: id,
            labels: artifact.labels,
        };
        transaction
            .record(&self.event(organization, actor, event))
            .await?;
        // It may have been indexed since it was read.
        let updated = transaction.find_artifact(organization, id).await?;
        transaction.commit().await?;
        let updated = updated.ok_or(Error::NotFound)?;
        self.forget_artifact(organization, id).await;
        Ok(updated)
    }

    /// Deletes an artifact with its bytes, text and passages, if the stored version is one of
    /// those expected.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::VersionConflict`]
    pub async fn delete_artifact(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: ArtifactId,
        expected: Option<&[u64]>,
    ) -> Result<()> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let deleted = transaction.delete_artifact(organization, id).await?;
        let leftover = deleted.ok_or(Error::NotFound)?;
        if expected.is_some_and(|expected| !expected.contains(&leftover.version)) {
            return Err(Error::VersionConflict);
        }
        let Leftover { blob_key, size, .. } = leftover;
        transaction
            .insert_blob_deletion(organization, &blob_key, self.clock.now())
            .await?;
        let event = Event::ArtifactDeleted {
            artifact_id: id,
            bytes: told(size),
        };
        transaction
            .record(&self.event(organization, actor, event))
            .await?;
        transaction.commit().await?;
        self.forget_artifact(organization, id).await;
        // What fails here is made up for by the sweep.
        _ = self.delete_bytes(organization, &blob_key).await;
        Ok(())
    }

    /// Drops what this node remembers of an artifact that changed on another node.
    pub async fn forget_artifact(&self, organization: OrganizationId, id: ArtifactId) {
        _ = self.artifacts.remove(&(organization, id)).await;
    }

    pub(super) async fn read_all(&self, artifact: &Artifact, limit: u64) -> Result<Vec<u8>> {
        if artifact.size > limit {
            return Err(Error::TooLarge { limit });
        }
        let mut reader = self.blobs.open(&artifact.blob_key, None).await?;
        let mut bytes = Vec::with_capacity(usize::try_from(artifact.size).unwrap_or(0));
        while let Some(part) = reader.next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}

fn apply(artifact: &mut Artifact, changes: ArtifactChanges) -> Result<()> {
    if let Some(name) = changes.name {
        artifact.name = rules::check_name(&name)?;
    }
    if let Some(metadata) = changes.metadata {
        artifact.metadata = rules::check_metadata(metadata)?;
    }
    if let Some(labels) = changes.labels {
        artifact.labels = rules::check_labels(&labels)?;
    }
    Ok(())
}
