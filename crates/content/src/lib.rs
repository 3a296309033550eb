//! The content bounded context: what a team knows, and how it finds it again.
//!
//! It owns artifacts with their bytes, the text in them, the passages this is
//! split into, their embeddings, labels, and search. It knows no database,
//! object store, model, broker or HTTP framework: what it needs of them it names
//! in [`ports`], and whoever embeds the crate hands it implementations. It
//! depends on `std` and `serde`, and a test keeps it that way.
//!
//! An artifact is stored by [`Service::upload`], which streams its bytes. It then
//! waits to be indexed; whoever runs [`Service::claim_work`] in the background
//! extracts its text, splits it, embeds it where there is a model, and makes it
//! searchable at once. [`Service::search`] finds its passages.

mod artifact;
mod chunk;
mod error;
#[path = "json.gen.rs"]
mod json;
#[path = "kernel.gen.rs"]
mod kernel;
#[path = "model.gen.rs"]
mod model;
pub mod ports;
mod rules;
mod search;
mod service;

pub use artifact::{Artifact, ArtifactFilter, ArtifactSort, Label, LabelSort};
pub use chunk::{Chunk, ModelInfo};
pub use error::{Error, Result};
pub use json::Json;
pub use kernel::*;
pub use model::*;
pub use search::{Hit, SearchFilter, SearchRequest};
pub use service::{Adapters, ArtifactChanges, IndexWork, NewArtifact, Service, Settings, Upload};
