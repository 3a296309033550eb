//! The adapter on a real Redis and a real cluster, which `cargo xtask services up` starts.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod debts;
mod distant;
mod faults;
mod signals;
mod suites;
mod support;
mod tls;
