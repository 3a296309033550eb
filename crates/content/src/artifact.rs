//! Artifacts: named bytes with what is known about them.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{ArtifactId, IndexStatus, Json, LabelId, OrganizationId, UserId};

/// A file of an organization. Its bytes never change; its name, metadata and labels do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Identity; never reused.
    pub id: ArtifactId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// What it is called; need not be unique.
    pub name: String,
    /// What its bytes are (RFC 9110, section 8.3.1), such as `text/plain; charset=utf-8`.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Where its bytes are kept.
    pub blob_key: String,
    /// What its makers say about it: a JSON object.
    pub metadata: Json,
    /// The names of its labels, sorted, none twice.
    pub labels: Vec<String>,
    /// How far it is on its way into search.
    pub index_status: IndexStatus,
    /// Why it cannot be searched, for people; where it is unsupported or failed.
    pub index_error: Option<String>,
    /// How many passages its text was split into.
    pub chunk_count: u32,
    /// Counts the changes of its name, metadata and labels; what an `ETag` is
    /// made from. Indexing does not count: who uploads and then names an
    /// artifact is in no conflict with it.
    pub version: u64,
    /// Who stored it, if a user did.
    pub created_by: Option<UserId>,
    /// When it was stored.
    pub created_at: SystemTime,
    /// When its name, metadata or labels last changed.
    pub updated_at: SystemTime,
}

/// A word by which artifacts are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Identity; never reused.
    pub id: LabelId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// What it is called; unique in the organization, by its very characters.
    pub name: String,
    /// When it was made.
    pub created_at: SystemTime,
}

/// What to sort artifacts by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArtifactSort {
    /// By when they were stored.
    #[default]
    CreatedAt,
    /// By name, in the order of its UTF-8 bytes.
    Name,
}

/// What to sort labels by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelSort {
    /// By name, in the order of its UTF-8 bytes.
    #[default]
    Name,
    /// By when they were made.
    CreatedAt,
}

/// Which artifacts to list: those that meet every condition given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArtifactFilter {
    /// They have all of these labels.
    pub labels: Vec<String>,
    /// Their names contain this, whatever the case of ASCII letters.
    pub name: Option<String>,
    /// Their media type is this, parameters aside.
    pub media_type: Option<String>,
    /// A JSON object whose every member they have, with the same value, in their metadata;
    /// `null` is no condition.
    pub metadata: Json,
    /// They are this far on their way into search.
    pub index_status: Option<IndexStatus>,
}
