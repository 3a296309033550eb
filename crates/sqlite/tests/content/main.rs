//! Content over a real database in a file.

mod artifacts;
mod labels;
mod queue;
mod search;
mod service;
mod support;
