//! Every domain's repositories in an embedded SQLite database.
//!
//! One file, write-ahead logging, one writer and several readers. Each domain
//! has a module that implements its `Repository` once, for a [`Lend`]er of
//! connections: the pool lends any, an open transaction lends its own.

mod auth;
mod connection;
mod content;
mod data_keys;
mod database;
mod events;
mod gauges;
mod idempotency;
mod lend;
mod lists;
mod organizations;
mod schema;
mod task;
mod types;
mod usage;
mod workflows;

pub use database::{Database, OpenError};
pub use lend::{Lend, Open, Pooled, Sqlite};
