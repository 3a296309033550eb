//! The programs that are measured, built as they are shipped.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};

use crate::{process, progress::Progress};

/// The programs that are measured.
pub(super) struct Programs {
    /// The server.
    pub(super) server: PathBuf,
    /// What it is measured against.
    pub(super) baseline: PathBuf,
    /// What measures the adapter of Postgres.
    pub(super) postgres: PathBuf,
}

/// Builds them.
pub(super) fn build(root: &Path) -> Result<Programs> {
    let progress = Progress::spinner("building with optimizations, which takes minutes at first");
    let mut cargo = process::cargo(root)?;
    // Both at once: each alone may want other features of what they share.
    cargo.args(["build", "--release", "--workspace", "--bin", "archesai"]);
    cargo.args(["--example", "baseline", "--example", "measure"]);
    cargo.args(["--quiet", "--message-format=json-render-diagnostics"]);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    let ending = process::ending(output.status);
    ensure!(output.status.success(), "building the server {ending}");
    let messages = String::from_utf8_lossy(&output.stdout);
    let find = |name| {
        let found = process::executable(&messages, name);
        found.with_context(|| format!("cargo built no program called {name}"))
    };
    let programs = Programs {
        server: find("archesai")?,
        baseline: find("baseline")?,
        postgres: find("measure")?,
    };
    progress.end();
    Ok(programs)
}
