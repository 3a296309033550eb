//! The adapter on a real NATS, which `cargo xtask services up` starts.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod faults;
mod scratch;
mod stream;
mod suites;
mod tls;
