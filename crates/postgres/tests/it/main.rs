//! The adapter on a real Postgres, which `cargo xtask services up` starts.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod events;
mod faults;
mod fence;
mod parts;
mod queue;
mod replicas;
mod schema;
mod scratch;
mod search;
mod signals;
mod start;
mod stores;
mod tls;
