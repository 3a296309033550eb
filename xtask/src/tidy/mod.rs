//! `cargo xtask tidy`: the invariants of the architecture, one module for each kind.
//!
//! What the compiler and clippy can check is left to them (`clippy.toml`); this is about which
//! crate may do what, and about what the files say. A rule is a function from what it looks at to
//! findings, so that its tests can show it a workspace that is wrong.

mod files;
mod generated;
mod leftovers;
mod mentions;
mod owners;
mod rings;
mod shape;
mod words;
mod workspace;

use std::{fmt, path::Path};

use anyhow::{Result, ensure};

use files::File;
use workspace::Package;

/// Checks the invariants of the architecture: which crate depends on which, what only one crate
/// may do, and what every file must look like. Names every place that is not so.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// A place where an invariant does not hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the root of the workspace.
    path: String,
    /// Counted from 1; nothing where it is about the file as a whole.
    line: Option<usize>,
    /// What is wrong, and how to mend it.
    message: String,
}

impl Finding {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            message: message.into(),
        }
    }

    fn of(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            message,
        } = self;
        match line {
            Some(line) => write!(f, "{path}:{line}: {message}"),
            None => write!(f, "{path}: {message}"),
        }
    }
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, _: &Arguments) -> Result<()> {
    check(root)?;
    println!("the workspace is tidy");
    Ok(())
}

/// Fails naming each place where an invariant does not hold.
pub(crate) fn check(root: &Path) -> Result<()> {
    let packages = workspace::packages(root)?;
    let mut findings = about_packages(&packages);
    for (domain, names) in workspace::trees(root, rings::DOMAINS)? {
        findings.extend(rings::tree(domain, &names));
    }
    findings.extend(about_files(&files::read(root)?));
    findings.sort();
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    ensure!(
        lines.is_empty(),
        "{} places are not as they must be:\n{}",
        lines.len(),
        lines.join("\n")
    );
    Ok(())
}

fn about_packages(packages: &[Package]) -> Vec<Finding> {
    let rules = [rings::only_serde, rings::rings, owners::dependencies];
    rules.iter().flat_map(|rule| rule(packages)).collect()
}

fn about_files(files: &[File]) -> Vec<Finding> {
    let at_most_one = [generated::headers, shape::module_docs, shape::length];
    let any_number = [
        leftovers::leftovers,
        leftovers::long_sleeps,
        owners::mentions,
        owners::sql,
        words::words,
    ];
    let mut findings = owners::idle_exceptions(files);
    for file in files {
        findings.extend(at_most_one.iter().filter_map(|rule| rule(file)));
        findings.extend(any_number.iter().flat_map(|rule| rule(file)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        if let Err(error) = check(&crate::root()) {
            panic!("{error}");
        }
    }
}
