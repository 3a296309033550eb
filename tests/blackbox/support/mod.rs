//! Starting servers and talking to them.

mod backends;
mod client;
mod owner;
pub(crate) mod raw;
mod server;

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

pub(crate) use backends::Backends;
pub(crate) use client::{Answer, Client, PASSWORD, Secrets, User};
pub(crate) use owner::Owner;
pub(crate) use server::{Server, fail, program, succeed};

/// Asks until there is an answer; gives up after some time.
pub(crate) async fn eventually<T>(within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < within,
            "it did not happen within {within:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The folder of the workspace, as the test runner says: clones may share what was built.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..")
}
