//! Pipelines: versioned definitions.

use std::time::SystemTime;

use crate::{Json, OrganizationId, PipelineId, UserId};

/// A named definition. Every change makes a version, and a run keeps to the
/// version it was started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Identity; never reused.
    pub id: PipelineId,
    /// The tenant.
    pub organization_id: OrganizationId,
    /// What it is called, 1 to 200 characters; need not be unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is done, as it was written; [`definition`](crate::definition) reads it.
    pub definition: Json,
    /// Counts changes, from 1.
    pub version: u64,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it was last changed.
    pub updated_at: SystemTime,
}
