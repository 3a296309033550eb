//! `cargo xtask test`: the one command that runs every test.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{model, process, progress::spoken, services};

/// The back ends of a system that outgrew one machine, on which the program is tested once more.
const SCALED: &str = "postgres,redis,nats,s3";

/// Runs every test: unit, property, conformance, examples, black-box and documentation tests.
/// First starts the servers they talk to, unless they run, and leaves them running; see `cargo
/// xtask services`. Uses cargo-nextest where it is installed, else plain `cargo test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tests whose names contain one of these; nextest then leaves documentation tests out
    filters: Vec<String>,
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    // Those that need the model fail without it and say so; the others are still worth running.
    if let Err(error) = model::ensure(false) {
        eprintln!("warning: {error:#}");
    }
    // So do those that need a server; and the command fails, whether they are among the filtered
    // or not.
    let (servers, faults) = services::for_tests(root)?;
    for fault in &faults {
        eprintln!("warning: {fault:#}");
    }
    let mut outcomes = Vec::new();
    for (name, mut command) in suites(root, &arguments.filters)? {
        command.envs(servers.clone());
        let began = Instant::now();
        let status = command
            .status()
            .with_context(|| format!("starting {command:?}"))?;
        outcomes.push((name, status, began.elapsed()));
    }
    println!();
    for (name, status, took) in &outcomes {
        let outcome = if status.success() { "passed" } else { "FAILED" };
        println!("{name:<20} {outcome}   {:>10}", spoken(*took));
    }
    println!("{:<20} {:>19}", "all", spoken(began.elapsed()));
    ensure!(
        faults.is_empty(),
        "not every server that tests need was there"
    );
    for (name, status, _) in outcomes {
        if !status.success() {
            bail!("{name} {}", process::ending(status));
        }
    }
    Ok(())
}

/// What is run, by name.
fn suites(root: &Path, filters: &[String]) -> Result<Vec<(&'static str, Command)>> {
    let nextest = process::has_plugin(root, "nextest")?;
    let mut tests = process::cargo(root)?;
    tests.args(arguments(nextest, filters));
    let mut suites = vec![("tests", tests)];
    let mut scaled = process::cargo(root)?;
    scaled.args(black_box(nextest, filters));
    scaled.env("ARCHESAI_TEST_BACKENDS", SCALED);
    suites.push(("black box, scaled", scaled));
    // Those of the documentation are compiled by rustdoc, and nextest does not run them.
    if nextest && filters.is_empty() {
        let mut documentation = process::cargo(root)?;
        documentation.args(["test", "--workspace", "--doc"]);
        suites.push(("documentation tests", documentation));
    }
    Ok(suites)
}

/// The arguments for cargo. Either way the examples are compiled, because nothing says which
/// targets are meant.
fn arguments(nextest: bool, filters: &[String]) -> Vec<&str> {
    let mut arguments = if nextest {
        vec!["nextest", "run", "--workspace"]
    } else {
        vec!["test", "--workspace", "--no-fail-fast"]
    };
    if !nextest && !filters.is_empty() {
        arguments.push("--");
    }
    arguments.extend(filters.iter().map(String::as_str));
    arguments
}

/// The arguments for cargo for the tests of the program as its clients see it, but for those that
/// choose the back ends themselves.
fn black_box(nextest: bool, filters: &[String]) -> Vec<&str> {
    let mut arguments = if nextest {
        let chosen = "binary(blackbox) and not test(/^(matrix|nodes|outages)::/)";
        vec![
            "nextest",
            "run",
            "--workspace",
            "--no-tests",
            "pass",
            "-E",
            chosen,
        ]
    } else {
        let mut arguments = vec![
            "test",
            "--workspace",
            "--no-fail-fast",
            "--test",
            "blackbox",
        ];
        arguments.push("--");
        for skipped in ["matrix::", "nodes::", "outages::"] {
            arguments.extend(["--skip", skipped]);
        }
        arguments
    };
    arguments.extend(filters.iter().map(String::as_str));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_goes_to_whichever_runner_there_is() {
        let filters = ["cursor".to_owned()];
        assert_eq!(
            arguments(true, &filters).join(" "),
            "nextest run --workspace cursor"
        );
        assert_eq!(
            arguments(false, &filters).join(" "),
            "test --workspace --no-fail-fast -- cursor"
        );
        let without = arguments(false, &[]);
        assert_eq!(without.last(), Some(&"--no-fail-fast"));
    }
}
