//! What is searched for, and what is found.

use crate::{ArtifactId, ChunkId, Json, SearchMode};

/// What to search for.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// What somebody typed.
    pub query: Option<String>,
    /// A vector to search near to, in place of the one the model would make from `query`.
    pub embedding: Option<Vec<f32>>,
    /// How; where it is not said, hybrid for a `query` and semantic for an `embedding` alone.
    pub mode: Option<SearchMode>,
    /// At most this many hits: 1 to 100.
    pub limit: u32,
    /// Where to search.
    pub filter: SearchFilter,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            query: None,
            embedding: None,
            mode: None,
            limit: 20,
            filter: SearchFilter::default(),
        }
    }
}

/// Where to search: in the passages of artifacts that meet every condition given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchFilter {
    /// They have all of these labels.
    pub labels: Vec<String>,
    /// A JSON object whose every member they have, with the same value, in their metadata;
    /// `null` is no condition.
    pub metadata: Json,
    /// They are one of these; `None` is no condition, and an empty list is met by none.
    pub artifact_ids: Option<Vec<ArtifactId>>,
    /// Their media type is this, parameters aside.
    pub media_type: Option<String>,
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Whose text it is from.
    pub artifact_id: ArtifactId,
    /// What that artifact is called.
    pub artifact_name: String,
    /// The passage.
    pub chunk_id: ChunkId,
    /// Its text.
    pub text: String,
    /// How good it is, comparable within one answer only; greater is better.
    /// Semantic: the cosine of the angle between the vectors, -1 to 1.
    /// Keyword: a relevance of at least 0, such as BM25. Hybrid: the sum of
    /// reciprocal ranks, see [`Service::search`](crate::Service::search).
    pub score: f64,
    /// The place of the passage among those of its artifact, from 0.
    pub position: u32,
}
