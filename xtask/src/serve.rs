//! `cargo xtask serve`: from a clone to a running server.

mod scaled;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{model, process};

/// Builds the server, fetches the local embedding model if it is not there, and serves until it
/// is told to stop. The server prints its address, where the data lies, and what to do next.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build with optimizations: slower to build, faster to serve
    #[arg(long)]
    release: bool,
    /// Two processes that serve the API, at ports 8080 and 8081, and two workers, on Postgres, Redis,
    /// NATS and S3, which are started first, as by `cargo xtask services --durable up`
    #[arg(long)]
    scaled: bool,
    /// Flags for `archesai serve`, such as `-- --port 8081 --data-dir ./data`
    #[arg(last = true)]
    flags: Vec<String>,
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    eprintln!("building the server");
    let program = build(root, arguments.release)?;
    match model::ensure(false) {
        Ok(folder) => eprintln!("the embedding model is in {}", folder.display()),
        Err(error) => eprintln!("warning: {error:#}"),
    }
    if arguments.scaled {
        return scaled::run(root, program, arguments.flags.clone());
    }
    let mut server = Command::new(&program);
    process::forget_this_package(&mut server);
    process::forget_test_servers(&mut server);
    server.arg("serve").args(&arguments.flags);
    become_it(server).with_context(|| format!("running {}", program.display()))
}

/// Builds the program; where it lies.
fn build(root: &Path, release: bool) -> Result<PathBuf> {
    let mut cargo = process::cargo(root)?;
    // With --workspace the features are those of every other command, and nothing that is built
    // already is built once more.
    cargo.args(["build", "--workspace", "--bin", "archesai"]);
    cargo.arg("--message-format=json-render-diagnostics");
    if release {
        cargo.arg("--release");
    }
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    let ending = process::ending(output.status);
    ensure!(output.status.success(), "building the server {ending}");
    process::executable(&String::from_utf8_lossy(&output.stdout), "archesai")
        .context("cargo built no program called archesai")
}

/// Lets the server take the place of this process, so that it gets every signal itself.
#[cfg(unix)]
fn become_it(mut server: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(server.exec().into())
}

/// Waits for the server to end; the console sends Ctrl-C to both.
#[cfg(not(unix))]
fn become_it(mut server: Command) -> Result<()> {
    let status = server.status()?;
    ensure!(status.success(), "the server {}", process::ending(status));
    Ok(())
}
