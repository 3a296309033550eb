//! The server as its clients see it: the real binary, over HTTP, on real files.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests stand outside the system, and fail loudly"
)]

mod audit;
mod auth;
mod authorization;
mod bad_input;
mod content;
mod contract;
mod crowds;
mod documents;
mod durability;
mod hostile;
mod idempotency;
mod keys;
mod lists;
mod matrix;
mod nodes;
mod organizations;
mod outages;
mod overload;
mod pipelines;
mod probes;
mod providers;
mod refusals;
mod replicas;
mod shutdown;
mod support;
mod tenancy;
mod tour;
mod uploads;
mod usage;
mod versions;
