//! The server as its clients see it: the real binary, over HTTP, on real files.

mod auth;
mod bad_input;
mod content;
mod contract;
mod durability;
mod organizations;
mod pipelines;
mod support;
mod tenancy;
