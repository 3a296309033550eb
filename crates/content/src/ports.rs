//! What content needs from the outside world.
//!
//! Implementations may write these methods as `async fn`; the traits spell the
//! future out only to promise that it is [`Send`]. Every method that gives a
//! [`Result`] may fail with [`Error::Unavailable`](crate::Error::Unavailable);
//! the other errors a method may give are said at the method, and adapters give
//! them for that reason only.

use std::{error, fmt, ops::Range, sync::Arc, time::SystemTime};

use crate::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Chunk, ChunkId, Hit, IndexStatus, Label,
    LabelId, LabelSort, ModelInfo, OrganizationId, Page, Recorded, Result, SearchFilter, Slice,
};

/// Reads and writes what content owns.
///
/// A pool of connections implements it, and then each call stands alone; a
/// [`Transaction`] implements it too, and then the calls share one commit.
///
/// What belongs to another organization than the one named is treated as if it
/// did not exist. The methods that name none work on the whole platform, and
/// inside a transaction only in [`Scope::System`].
pub trait Repository: Send + Sync + 'static {
    /// Adds an artifact. It waits to be indexed from `artifact.created_at` on.
    /// Every one of its labels must exist.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, whoever's;
    /// [`NotFound`](crate::Error::NotFound) if the organization's content is erased.
    fn insert_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds an artifact.
    fn find_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> impl Future<Output = Result<Option<Artifact>>> + Send;

    /// Lists the artifacts that meet every condition of the filter.
    fn list_artifacts(
        &self,
        organization: OrganizationId,
        filter: &ArtifactFilter,
        slice: &Slice<ArtifactSort>,
    ) -> impl Future<Output = Result<Page<Artifact>>> + Send;

    /// Writes an artifact's name, metadata, labels, version and `updated_at`, if
    /// the stored version is `artifact.version - 1`. Every one of its labels must exist.
    ///
    /// # Errors
    ///
    /// [`VersionConflict`](crate::Error::VersionConflict) if it is not, or there is no such artifact.
    fn update_artifact(
        &self,
        organization: OrganizationId,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes an artifact with its text and passages, and answers which bytes it leaves;
    /// `None` if there is no such artifact.
    fn delete_artifact(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> impl Future<Output = Result<Option<Leftover>>> + Send;

    /// The text that was extracted from an artifact; `None` until there is one.
    fn find_text(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
    ) -> impl Future<Output = Result<Option<String>>> + Send;

    /// Adds a label.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, whoever's, or
    /// else [`LabelTaken`](crate::Error::LabelTaken) if the organization has one of this name;
    /// [`NotFound`](crate::Error::NotFound) if the organization's content is erased.
    fn insert_label(
        &self,
        organization: OrganizationId,
        label: &Label,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds a label.
    fn find_label(
        &self,
        organization: OrganizationId,
        id: LabelId,
    ) -> impl Future<Output = Result<Option<Label>>> + Send;

    /// Adds those of the labels whose names the organization does not have, and
    /// answers these.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::Error::NotFound) if the organization's content is erased.
    fn ensure_labels(
        &self,
        organization: OrganizationId,
        labels: &[Label],
    ) -> impl Future<Output = Result<Vec<Label>>> + Send;

    /// Lists labels.
    fn list_labels(
        &self,
        organization: OrganizationId,
        slice: &Slice<LabelSort>,
    ) -> impl Future<Output = Result<Page<Label>>> + Send;

    /// Takes a label off at most `limit` artifacts, counts their versions up,
    /// sets their `updated_at` to `now`, and answers them as they are then.
    fn take_off_label(
        &self,
        organization: OrganizationId,
        id: LabelId,
        limit: u32,
        now: SystemTime,
    ) -> impl Future<Output = Result<Vec<Artifact>>> + Send;

    /// Deletes a label that no artifact has any more. Answers whether it was there.
    fn delete_label(
        &self,
        organization: OrganizationId,
        id: LabelId,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Remembers that the bytes under a key are to be deleted once it is `due`,
    /// whatever was said of them before.
    fn insert_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets that bytes are to be deleted, if they still are due at `due`:
    /// if nobody claimed the deletion. Answers whether it did.
    fn cancel_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
        due: SystemTime,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Claims deletions that are due, the longest due first, and makes them due
    /// at `claim.until`: of two calls at the same moment no two answer the same one.
    fn claim_blob_deletions(
        &self,
        claim: &Claim,
    ) -> impl Future<Output = Result<Vec<BlobDeletion>>> + Send;

    /// Forgets that bytes are to be deleted, for they are.
    fn finish_blob_deletion(
        &self,
        organization: OrganizationId,
        blob_key: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes down that an organization's content is to be erased, `due` at once.
    /// From the commit on no artifact and no label can be added to it, ever.
    /// Doing it again changes nothing.
    fn begin_erasure(
        &self,
        organization: OrganizationId,
        now: SystemTime,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Claims erasures that are due, the longest due first, and makes them due
    /// at `claim.until`: of two calls at the same moment no two answer the same one.
    fn claim_erasures(&self, claim: &Claim) -> impl Future<Output = Result<Vec<Erasure>>> + Send;

    /// Says when an erasure is due again; `None` if nothing can be left.
    fn schedule_erasure(
        &self,
        organization: OrganizationId,
        due: Option<SystemTime>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes passages of an artifact, at most `limit`, and answers how many.
    fn delete_passages(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        limit: u32,
    ) -> impl Future<Output = Result<u32>> + Send;

    /// Claims artifacts that wait to be indexed, the longest waiting first, until
    /// `claim.until`, and counts the attempt: of two calls at the same moment no
    /// two answer the same one. A claim that has run out may be claimed anew.
    fn claim_unindexed(&self, claim: &Claim) -> impl Future<Output = Result<Vec<IndexJob>>> + Send;

    /// Makes a claim to index an artifact last until another time. Answers
    /// whether `fence` is still the one of the newest claim.
    fn extend_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        until: SystemTime,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Hands a claim back, to be claimed again from `due` on, as if the attempt
    /// had not been made. Answers whether `fence` is still the one of the newest claim.
    fn release_index_claim(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        due: SystemTime,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Ends a claim without a text: writes the status and the error. Answers
    /// whether `fence` is still the one of the newest claim; if not, nothing is written.
    fn finish_unindexed(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        fence: u64,
        status: IndexStatus,
        error: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Replaces the passages of an artifact, makes it indexed and ends every
    /// claim on it. Answers whether it did: if not, the artifact is gone or
    /// `index.fence` is not the one of the newest claim, and nothing is written.
    fn replace_chunks(
        &self,
        organization: OrganizationId,
        id: ArtifactId,
        index: &NewIndex,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Claims passages that have no embedding of a model, those first that were
    /// never claimed, until `claim.until`, and counts the attempt. A claim that
    /// has run out may be claimed anew: one passage at a time, for it may be the
    /// reason why the claim before came to no end.
    fn claim_unembedded(
        &self,
        model: &ModelInfo,
        claim: &Claim,
    ) -> impl Future<Output = Result<Vec<UnembeddedChunk>>> + Send;

    /// Hands claims on passages back, to be claimed again from `due` on, as if the
    /// attempts had not been made.
    fn release_unembedded(
        &self,
        organization: OrganizationId,
        passages: &[ChunkId],
        due: SystemTime,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes what a model made of passages, in place of what another made of
    /// them; passages that are gone are left out. The vectors have unit length.
    /// An artifact that was being embedded, or had failed for the lack of an embedding, becomes
    /// indexed when it lacks none any more: answers these.
    fn store_embeddings(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embeddings: &[(ChunkId, Vec<f32>)],
    ) -> impl Future<Output = Result<Vec<ArtifactId>>> + Send;

    /// Writes that a model makes no embedding of a passage: it does not wait for
    /// one of this model any more, and its artifact has failed, with the error.
    /// Answers which that is; `None` if the passage is gone.
    fn refuse_embedding(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        passage: ChunkId,
        error: &str,
    ) -> impl Future<Output = Result<Option<ArtifactId>>> + Send;

    /// The models whose embeddings an organization has, the most used first.
    fn list_models(
        &self,
        organization: OrganizationId,
    ) -> impl Future<Output = Result<Vec<ModelInfo>>> + Send;

    /// Finds the passages nearest to a vector of unit length, by the cosine of
    /// the angle between, nearest first; equal ones in the order of their ids.
    /// Only embeddings of this very model are compared. Answers `limit` hits,
    /// fewer only if there are fewer passages that meet the filter and have an
    /// embedding of the model. An approximate index may miss 1 in 20 of the
    /// true ones, and must not miss more.
    ///
    /// It may lag: what was committed in the last seconds may be missed, or found
    /// although it was deleted. In a transaction it does not.
    fn search_semantic(
        &self,
        organization: OrganizationId,
        model: &ModelInfo,
        embedding: &[f32],
        filter: &SearchFilter,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Hit>>> + Send;

    /// Finds the passages that have one of the words of the query, the most
    /// relevant first; the more of the words and the rarer they are, the more
    /// relevant. Neither case nor diacritics count.
    ///
    /// The query is what a person typed, down to quotes, brackets and operators.
    /// It must not be able to fail or to reach the query language of the
    /// database: whatever is no word divides words. Words past the first 64 may
    /// be left out of account. Without a word there is no hit.
    ///
    /// It may lag, as [`search_semantic`](Self::search_semantic) may.
    fn search_keyword(
        &self,
        organization: OrganizationId,
        query: &str,
        filter: &SearchFilter,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Hit>>> + Send;

    /// Appends an event to the log, to be published after the commit.
    fn record(&self, event: &Recorded) -> impl Future<Output = Result<()>> + Send;
}

/// A [`Repository`] that can group its writes.
pub trait Store: Repository {
    /// An open transaction of this store.
    type Transaction: Transaction;

    /// Opens a transaction.
    fn begin(&self, scope: Scope) -> impl Future<Output = Result<Self::Transaction>> + Send;
}

/// A [`Repository`] whose writes take effect together, or, if it is dropped
/// before [`commit`](Self::commit), not at all.
pub trait Transaction: Repository {
    /// Makes the writes durable and visible to others.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;
}

/// What a transaction may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What one organization owns.
    Organization(OrganizationId),
    /// What any organization owns: for the platform's own work.
    System,
}

/// How much work to claim, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// At most this many.
    pub limit: u32,
    /// The time now: what is due then can be claimed.
    pub now: SystemTime,
    /// When the claim runs out.
    pub until: SystemTime,
}

/// Bytes that belong to no artifact any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobDeletion {
    /// Whose they were.
    pub organization_id: OrganizationId,
    /// Where they are kept.
    pub blob_key: String,
}

/// The end of all that an organization has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whose content is erased.
    pub organization_id: OrganizationId,
    /// Since when nothing can be added to it.
    pub begun_at: SystemTime,
}

/// A claim to index an artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexJob {
    /// What to index.
    pub artifact: Artifact,
    /// Which attempt this is, from 1.
    pub attempts: u32,
    /// Grows with every claim on the artifact, so that a late result of an
    /// earlier one is told apart and refused.
    pub fence: u64,
}

/// What indexing an artifact came to.
#[derive(Clone, Debug, PartialEq)]
pub struct NewIndex {
    /// The fence of the claim; `None` to replace passages without one.
    pub fence: Option<u64>,
    /// The artifact's text; `None` leaves what is stored.
    pub text: Option<String>,
    /// The passages, in order. Embeddings have unit length.
    pub chunks: Vec<Chunk>,
    /// The model that makes the embeddings, if there is one.
    pub model: Option<ModelInfo>,
}

impl NewIndex {
    /// How far the artifact is with it: passages may lack embeddings that a model is to make.
    pub fn status(&self) -> IndexStatus {
        let waits = |chunk: &Chunk| chunk.embedding.is_none();
        if self.model.is_some() && self.chunks.iter().any(waits) {
            IndexStatus::Embedding
        } else {
            IndexStatus::Indexed
        }
    }
}

/// A passage that waits for its embedding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnembeddedChunk {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Which one.
    pub id: ChunkId,
    /// Its text.
    pub text: String,
    /// Which attempt this is, from 1.
    pub attempts: u32,
}

/// Keeps bytes under keys. A key has ASCII letters, digits, `-` and `/` in it.
pub trait Blobs: Send + Sync + 'static {
    /// Writes what is stored under a key.
    type Writer: BlobWriter;
    /// Reads what is stored under a key.
    type Reader: BlobReader;

    /// Begins to store bytes under a key that was never used before.
    fn create(&self, key: &str) -> impl Future<Output = Result<Self::Writer>> + Send;

    /// Opens what is stored under a key, or the bytes of it in a range that lies within.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::Error::NotFound) if nothing is stored under it.
    fn open(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> impl Future<Output = Result<Self::Reader>> + Send;

    /// Deletes what is stored under a key; that there is nothing is no error.
    fn delete(&self, key: &str) -> impl Future<Output = Result<()>> + Send;
}

/// Bytes on their way into storage. Dropping it before
/// [`finish`](Self::finish) leaves nothing under the key.
pub trait BlobWriter: Send + 'static {
    /// Appends bytes. Once this failed, [`finish`](Self::finish) fails too.
    fn write(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<()>> + Send;

    /// Makes the bytes durable and lets them be read under the key, all at once.
    fn finish(self) -> impl Future<Output = Result<Stored>> + Send;
}

/// Bytes on their way out of storage.
pub trait BlobReader: Send + 'static {
    /// The next bytes, not empty; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;
}

/// The bytes of an artifact that was deleted, which are still stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Their key.
    pub blob_key: String,
    /// How many they are.
    pub size: u64,
    /// The version of the artifact.
    pub version: u64,
}

/// What was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// Turns texts into vectors.
pub trait Embedder: Send + Sync + 'static {
    /// The model in use; `None` where there is none.
    fn model(&self) -> Option<ModelInfo>;

    /// Turns each text into a vector of [`ModelInfo::dimensions`] numbers, in
    /// order. The vectors need not have unit length. A text that is longer than
    /// the model takes is cut.
    ///
    /// # Errors
    ///
    /// [`NoModel`](crate::Error::NoModel) where there is none;
    /// [`TextRefused`](crate::Error::TextRefused) if the model will have nothing to do with
    /// one of the texts, however often it is asked.
    fn embed(&self, texts: Vec<String>) -> impl Future<Output = Result<Vec<Vec<f32>>>> + Send;
}

/// Finds the text in files and splits it into passages.
pub trait TextExtractor: Send + Sync + 'static {
    /// Finds the text in the bytes of a file. Bounds the work that a hostile file can cause.
    fn extract(
        &self,
        bytes: Vec<u8>,
        media_type: &str,
        name: &str,
    ) -> impl Future<Output = Result<ExtractedText, ExtractionError>> + Send;

    /// Splits a text into passages that can be embedded, in order. They overlap
    /// a little, so that what is said across a border is found too.
    fn split(&self, text: &str) -> impl Future<Output = Result<Vec<Passage>>> + Send;

    /// What a file is (RFC 9110, section 8.3.1), by its name and how it begins;
    /// `application/octet-stream` where that does not tell.
    fn media_type(&self, name: &str, first_bytes: &[u8]) -> String;
}

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtractedText {
    /// The text, in the order in which one reads it.
    pub text: String,
}

/// Why a file has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtractionError {
    /// Files of this kind have none, or none that can be found.
    Unsupported,
    /// There was no room for the work; there may be later.
    Busy,
    /// The file is broken or asks for more work than is given to one; why, for
    /// the person who stored it.
    Damaged(String),
}

impl fmt::Display for ExtractionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("no text can be found in files of this kind"),
            Self::Busy => f.write_str("there is no room for the work"),
            Self::Damaged(reason) => f.write_str(reason),
        }
    }
}

impl error::Error for ExtractionError {}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The part.
    pub text: String,
    /// Where it begins in the text, in bytes of UTF-8.
    pub start: u64,
    /// Where it ends there.
    pub end: u64,
}

/// Lets those who index know that there is something to do. Only a hint: what
/// waits is found without it, later.
pub trait Wakeups: Send + Sync + 'static {
    /// An artifact waits to be indexed.
    fn wake(&self);
}

impl<T: Wakeups + ?Sized> Wakeups for Arc<T> {
    fn wake(&self) {
        (**self).wake();
    }
}
