//! The server as its clients see it: the real binary, over HTTP, on real files.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod auth;
mod bad_input;
mod content;
mod contract;
mod documents;
mod durability;
mod organizations;
mod pipelines;
mod providers;
mod support;
mod tenancy;
mod tour;
