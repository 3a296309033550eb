//! The tools of a pipeline, one file each, and the expressions that join them.
//!
//! What stands here are pure functions over bytes and `serde_json::Value`: nothing reads a file, opens a connection, or asks
//! for the time. Everything takes input written by strangers, so every function has limits on size, depth, count and work,
//! and answers an error a person can read when one of them is reached.

mod bounded;
pub mod expressions;
pub mod extract;
pub mod jq;
pub mod schema;
pub mod split;
pub mod table;
pub mod template;

#[cfg(test)]
mod samples;
