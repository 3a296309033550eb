//! The tools of a pipeline, one file each, and the expressions that join them.
//!
//! The work is done by pure functions over bytes and `serde_json::Value`: nothing reads a file, opens a connection, or asks
//! for the time. Everything takes input written by strangers, so every function has limits on size, depth, count and work,
//! and answers an error a person can read when one of them is reached. Over them stand the tools ([`Tool`]), which a
//! [`Toolbox`] offers to the workflows context; what they need of the world outside is named in [`capabilities`], and
//! whoever composes the server fills it.

pub mod apart;
mod bounded;
pub mod capabilities;
pub mod convert;
pub mod expressions;
pub mod extract;
mod extractor;
mod failure;
pub mod jq;
mod language;
pub mod schema;
mod shapes;
mod slots;
pub mod split;
pub mod table;
pub mod template;
mod texts;
mod tool;
mod toolbox;
mod tools;
mod wording;

pub use capabilities::Parts;
pub use extractor::Extractor;
pub use language::Language;
pub use slots::Slots;
pub use tool::{Call, Spec, Tool, done};
pub use toolbox::{Toolbox, UnfitTool};

#[cfg(test)]
mod samples;
