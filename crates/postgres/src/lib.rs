//! Every domain's repositories in a PostgreSQL database with pgvector.
//!
//! A pool of connections, row-level security under every tenant's table, and the queue of steps
//! claimed past the locks of others. Each domain has a module that implements its `Repository`
//! once, for a [`Lend`]er of connections: the pool lends any, an open transaction lends its own.

#[cfg(test)]
extern crate self as archesai_postgres;

mod auth;
mod content;
mod data_keys;
mod database;
mod errand;
mod events;
mod gauges;
mod idempotency;
mod lend;
mod lists;
mod migrate;
mod organizations;
mod pipeline;
mod replicas;
mod schema;
mod session;
mod settings;
mod signals;
mod sql;
mod task;
mod tls;
mod types;
mod usage;
mod workflows;

pub use database::{Database, OpenError};
pub use lend::{Lend, Open, Pooled, Postgres};
pub use replicas::Fault;
pub use settings::{LeaseClock, Settings};
pub use signals::{EventNotices, Signals};
