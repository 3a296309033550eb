//! The server as its clients see it: the real binary, over HTTP, on real files.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests stand outside the system, and fail loudly"
)]

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
mod lists;
mod matrix;
mod nodes;
mod organizations;
mod outages;
mod overload;
mod pipelines;
mod probes;
mod providers;
mod shutdown;
mod support;
mod tenancy;
mod tour;
mod uploads;
mod versions;
