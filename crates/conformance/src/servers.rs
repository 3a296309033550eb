//! Where the real servers are that tests talk to.

mod replica;
pub mod scratch;

pub use replica::Replica;
pub use scratch::Scratch;

/// What an environment variable says that `cargo xtask test` sets, such as
/// `ARCHESAI_TEST_POSTGRES_URL`. A test without its server fails.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a suite stands outside the system"
)]
pub fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set; `cargo xtask test` starts the servers and sets it, and for a \
             shell `eval \"$(cargo xtask services up --exports)\"` does"
        )
    })
}
