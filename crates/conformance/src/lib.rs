//! One suite per port that every adapter of the port must pass.
//!
//! What a port's documentation promises, a function here checks, once and for
//! every back end. A suite makes identities of its own, so that any number of
//! them share one database.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a suite fails loudly, at the place"
)]

pub mod auth;
pub mod blobs;
pub mod caches;
pub mod content;
pub mod data_keys;
pub mod event_log;
pub mod fakes;
pub mod fault_proxy;
pub mod organizations;
pub mod platform;
pub mod servers;
pub mod signals;
pub mod tls_proxy;
pub mod workflows;

use uuid::Uuid;

/// An identity that nothing has yet.
#[expect(
    clippy::disallowed_methods,
    reason = "a suite stands outside the system"
)]
fn fresh() -> u128 {
    Uuid::now_v7().as_u128()
}
