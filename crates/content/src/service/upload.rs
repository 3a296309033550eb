//! Storing artifacts.
//!
//! Bytes and rows cannot be written together. So that no crash leaves bytes that
//! nobody knows of, an upload first writes down that its bytes are to be
//! deleted once it has had its time, and takes that back in the transaction that
//! makes them an artifact.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    Artifact, ArtifactId, Clock, Error, Event, IndexStatus, Json, Label, LabelId, OrganizationId,
    Result, Service, UserId,
    ports::{
        BlobWriter, Blobs, Repository, Scope, Store, Stored, TextExtractor, Transaction, Wakeups,
    },
    rules,
    service::{Adapters, Open, told},
};

/// How many of the first bytes are looked at to tell what a file is.
const HEAD: usize = 4096;

/// The media type that says nothing, which browsers send for files they do not know.
const UNKNOWN: &str = "application/octet-stream";

/// An artifact to store.
#[derive(Clone, Debug, Default)]
pub struct NewArtifact {
    /// Its identity, where the caller decides it; a fresh one otherwise.
    pub id: Option<ArtifactId>,
    /// What to call it.
    pub name: String,
    /// What its bytes are; found out where it is not said.
    pub media_type: Option<String>,
    /// A JSON object; `null` stands for an empty one.
    pub metadata: Json,
    /// The names of its labels; those that do not exist are made.
    pub labels: Vec<String>,
}

/// An artifact whose bytes are still on their way. Dropping it leaves nothing.
pub struct Upload<A: Adapters> {
    draft: Draft,
    writer: <A::Blobs as Blobs>::Writer,
    size: u64,
    limit: u64,
    head: Vec<u8>,
    clock: Arc<dyn Clock>,
}

/// What is known of an artifact before its bytes are.
pub(super) struct Draft {
    pub(super) id: ArtifactId,
    pub(super) organization_id: OrganizationId,
    about: About,
    pub(super) blob_key: String,
    created_by: Option<UserId>,
    /// When the bytes are deleted unless they became an artifact.
    pub(super) due: SystemTime,
}

/// What its maker says of an artifact, checked.
#[derive(Clone)]
struct About {
    name: String,
    media_type: Option<String>,
    metadata: Json,
    labels: Vec<String>,
}

impl About {
    fn check(new: NewArtifact) -> Result<Self> {
        let media_type = new
            .media_type
            .as_deref()
            .map(rules::check_media_type)
            .transpose()?;
        Ok(Self {
            name: rules::check_name(&new.name)?,
            media_type: media_type.filter(|given| given != UNKNOWN),
            metadata: rules::check_metadata(new.metadata)?,
            labels: rules::check_labels(&new.labels)?,
        })
    }
}

impl<A: Adapters> fmt::Debug for Upload<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("id", &self.draft.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl<A: Adapters> Upload<A> {
    /// Says anew what the artifact is, in place of all that was said, for whoever
    /// learns that only after its bytes. Its identity stays unless another is given.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name, media type, metadata or labels.
    pub fn describe(&mut self, new: NewArtifact) -> Result<()> {
        self.draft.id = new.id.unwrap_or(self.draft.id);
        self.draft.about = About::check(new)?;
        Ok(())
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`]; [`Error::TooSlow`] if the upload took longer than it may.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.check()?;
        let missing = (HEAD - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.writer.write(bytes).await
    }

    fn check(&self) -> Result<()> {
        let limit = self.limit;
        if self.size > limit {
            return Err(Error::TooLarge { limit });
        }
        if self.clock.now() >= self.draft.due {
            return Err(Error::TooSlow);
        }
        Ok(())
    }
}

impl<A: Adapters> Service<A> {
    /// Begins to store an artifact: its bytes are written to what this answers.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name, media type, metadata or labels.
    pub async fn upload(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        new: NewArtifact,
    ) -> Result<Upload<A>> {
        let draft = self.draft(organization, actor, new)?;
        self.store
            .insert_blob_deletion(organization, &draft.blob_key, draft.due)
            .await?;
        let writer = self.blobs.create(&draft.blob_key).await?;
        Ok(Upload {
            draft,
            writer,
            size: 0,
            limit: self.settings.max_bytes,
            head: Vec::new(),
            clock: Arc::clone(&self.clock),
        })
    }

    /// Stores an artifact whose bytes are all there. With an identity that the
    /// caller decided, doing it again answers the artifact that is there.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]; those of [`finish_upload`](Self::finish_upload)
    pub async fn create_artifact(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        new: NewArtifact,
        bytes: Vec<u8>,
    ) -> Result<Artifact> {
        if let Some(id) = new.id
            && let Some(artifact) = self.store.find_artifact(organization, id).await?
        {
            return Ok(artifact);
        }
        let mut upload = self.upload(organization, actor, new).await?;
        upload.write(bytes).await?;
        self.finish_upload(upload).await
    }

    /// Makes the bytes of an upload an artifact, which then waits to be indexed. With an
    /// identity that the caller decided, the artifact that is there already is answered,
    /// and the bytes are left out.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`]; [`Error::TooSlow`] if the upload took longer than it
    /// may; [`Error::AlreadyExists`] if the identity is that of an artifact
    /// elsewhere. Nothing is left then.
    pub async fn finish_upload(&self, upload: Upload<A>) -> Result<Artifact> {
        upload.check()?;
        let draft = upload.draft;
        let saved = match upload.writer.finish().await {
            Ok(stored) => self.save(&draft, stored, &upload.head).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &saved {
            // What is not done here is made up for by the sweep. A storage that has just failed is
            // not asked again: somebody waits for the answer.
            let written = self.discard(&draft).await.is_ok_and(|written| written);
            if written && !matches!(error, Error::Unavailable(_)) {
                _ = self
                    .delete_bytes(draft.organization_id, &draft.blob_key)
                    .await;
            }
        }
        match saved {
            Err(Error::AlreadyExists) => {
                let found = self.store.find_artifact(draft.organization_id, draft.id);
                let found = found.await?;
                found.ok_or(Error::AlreadyExists)
            }
            saved => saved,
        }
    }

    fn draft(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        new: NewArtifact,
    ) -> Result<Draft> {
        Ok(Draft {
            id: new.id.unwrap_or_else(|| ArtifactId(self.ids.next())),
            organization_id: organization,
            about: About::check(new)?,
            // Never the id of the artifact: two uploads that claim one id must not share bytes.
            blob_key: format!("{organization}/{}", ArtifactId(self.ids.next())),
            created_by: actor,
            due: self.clock.now() + self.settings.upload_ttl,
        })
    }

    /// Writes an artifact whose bytes are durable.
    async fn save(&self, draft: &Draft, stored: Stored, head: &[u8]) -> Result<Artifact> {
        let artifact = self.artifact_from(draft, stored, head);
        let organization = artifact.organization_id;
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let kept = transaction.cancel_blob_deletion(organization, &artifact.blob_key, draft.due);
        if !kept.await? {
            return Err(Error::TooSlow);
        }
        self.make_labels(
            &transaction,
            organization,
            artifact.created_by,
            &artifact.labels,
        )
        .await?;
        transaction.insert_artifact(organization, &artifact).await?;
        let event = Event::ArtifactCreated {
            artifact_id: artifact.id,
            name: artifact.name.clone(),
            labels: artifact.labels.clone(),
            bytes: told(artifact.size),
        };
        transaction
            .record(&self.event(organization, artifact.created_by, event))
            .await?;
        transaction.commit().await?;
        self.wakeups.wake();
        Ok(artifact)
    }

    fn artifact_from(&self, draft: &Draft, stored: Stored, head: &[u8]) -> Artifact {
        let now = self.clock.now();
        let about = draft.about.clone();
        let media_type = about
            .media_type
            .unwrap_or_else(|| self.extractor.media_type(&about.name, head));
        Artifact {
            id: draft.id,
            organization_id: draft.organization_id,
            name: about.name,
            media_type,
            size: stored.size,
            sha256: stored.sha256,
            blob_key: draft.blob_key.clone(),
            metadata: about.metadata,
            labels: about.labels,
            index_status: IndexStatus::Pending,
            index_error: None,
            chunk_count: 0,
            version: 1,
            created_by: draft.created_by,
            created_at: now,
            updated_at: now,
        }
    }

    /// Makes those of the labels that do not exist.
    pub(super) async fn make_labels(
        &self,
        transaction: &Open<A>,
        organization: OrganizationId,
        actor: Option<UserId>,
        names: &[String],
    ) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let created_at = self.clock.now();
        let wanted: Vec<_> = names
            .iter()
            .map(|name| Label {
                id: LabelId(self.ids.next()),
                organization_id: organization,
                name: name.clone(),
                created_at,
            })
            .collect();
        for label in transaction.ensure_labels(organization, &wanted).await? {
            let event = Event::LabelCreated {
                label_id: label.id,
                name: label.name,
            };
            transaction
                .record(&self.event(organization, actor, event))
                .await?;
        }
        Ok(())
    }
}
