//! Every tool through the toolbox, over capabilities in memory. What a tool answers is held against its own output schema.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod artifacts;
mod bench;
mod contract;
mod memory;
mod models;
mod values;
mod web;
