//! `cargo xtask lint`: everything that can be judged without running the tests.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    codegen, process,
    progress::{Progress, spoken},
    tidy,
};

/// Checks the format, the invariants, the generated files, the lints and the documentation, and
/// tells about all of them at the end.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// First write what can be written: generated files and format
    #[arg(long)]
    fix: bool,
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.fix {
        codegen::run(root, &codegen::Arguments { check: false })?;
        fmt(root, &[])?;
    }
    let mut documentation = process::cargo(root)?;
    documentation
        .args(["doc", "--workspace", "--no-deps", "--keep-going"])
        .env("RUSTDOCFLAGS", "-D warnings");
    let outcomes = [
        check("cargo fmt", || {
            fmt(root, &["--check", "--", "--files-with-diff"])
        }),
        check("tidy", || tidy::check(root)),
        check("codegen", || {
            codegen::run(root, &codegen::Arguments { check: true })
        }),
        check("cargo clippy", || process::quietly(&mut clippy(root)?)),
        check("cargo doc", || process::quietly(&mut documentation)),
    ];
    println!();
    for (name, passed, took) in outcomes {
        let outcome = if passed { "passed" } else { "FAILED" };
        println!("{name:<14} {outcome}   {:>10}", spoken(took));
    }
    let failed = outcomes.iter().filter(|(_, passed, _)| !passed).count();
    let all = outcomes.len();
    ensure!(failed == 0, "{failed} of {all} checks failed");
    Ok(())
}

/// Formats the workspace, and the S3 server of the tests, which is a workspace of its own.
fn fmt(root: &Path, arguments: &[&str]) -> Result<()> {
    for workspace in [root, &root.join("xtask/s3")] {
        let mut command = process::cargo(workspace)?;
        process::quietly(command.args(["fmt", "--all"]).args(arguments))?;
    }
    Ok(())
}

fn clippy(root: &Path) -> Result<Command> {
    let mut command = process::cargo(root)?;
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--keep-going",
        "--",
        "-D",
        "warnings",
    ];
    command.args(arguments);
    Ok(command)
}

/// Makes one check, and prints what it finds.
fn check(name: &'static str, work: impl FnOnce() -> Result<()>) -> (&'static str, bool, Duration) {
    let progress = Progress::spinner(name);
    let outcome = work();
    let took = progress.end();
    if let Err(error) = &outcome {
        eprintln!("{name}: {error:#}");
    }
    (name, outcome.is_ok(), took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_fails_is_not_passed() {
        let (_, passed, _) = check("bad", || anyhow::bail!("broken"));
        assert!(!passed);
    }
}
