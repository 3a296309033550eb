//! The maintainers' commands: `cargo xtask --help`.

mod bench;
mod codegen;
mod lint;
mod model;
mod pinned;
mod pip;
mod process;
mod progress;
mod serve;
mod services;
mod test;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// The maintainers' commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the server, fetches the local model, and serves.
    Serve(serve::Arguments),
    /// Runs every test.
    Test(test::Arguments),
    /// Starts, stops and shows the real servers that tests talk to.
    Services(services::Arguments),
    /// Measures the server with optimizations, and fails where it is too slow or too large.
    Bench(bench::Arguments),
    /// Checks format, invariants, generated files, lints and documentation.
    Lint(lint::Arguments),
    /// Checks the invariants of the architecture.
    Tidy(tidy::Arguments),
    /// Writes the files that are generated from api-spec/ and from the ports of the domains.
    Codegen(codegen::Arguments),
    /// Fetches the local embedding model.
    Model(model::Arguments),
}

/// The folder of the workspace.
fn root() -> PathBuf {
    // As cargo says now, not as it was when this was built: clones may share a target folder.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    manifest.parent().unwrap_or(&manifest).to_owned()
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Cli::parse().command {
        Command::Serve(arguments) => serve::run(&root, &arguments),
        Command::Test(arguments) => test::run(&root, &arguments),
        Command::Services(arguments) => services::run(&root, &arguments),
        Command::Bench(arguments) => bench::run(&root, &arguments),
        Command::Lint(arguments) => lint::run(&root, &arguments),
        Command::Tidy(arguments) => tidy::run(&root, &arguments),
        Command::Codegen(arguments) => codegen::run(&root, &arguments),
        Command::Model(arguments) => model::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
