//! The adapter on a real S3 server, which `cargo xtask services up` starts.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod bucket;
mod faults;
mod scratch;
