//! The stores on a real Postgres, which `cargo xtask services up` starts.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod scratch;
mod stores;
