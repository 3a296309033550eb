//! `cargo xtask codegen`: everything that is generated, computed in memory before anything is
//! written, so that `--check` runs the very same code.

mod contract;
mod domain;
mod emit;
mod erased;
mod http;
mod kernel;
mod model;
mod names;
mod ordered;
mod output;

use std::path::Path;

use anyhow::Result;

use contract::Contract;
use domain::Domain;
use output::Output;

/// The bounded contexts, in the order of their dependence: none names a later one.
const DOMAINS: [&str; 4] = ["auth", "organizations", "workflows", "content"];

/// Writes every `*.gen.*` file from its source, or only compares.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail naming each file that is stale, missing or no longer generated
    #[arg(long)]
    pub(crate) check: bool,
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let outputs = outputs(root)?;
    if arguments.check {
        output::check(root, &outputs)
    } else {
        output::write(root, &outputs)
    }
}

/// Every generated file of the workspace.
fn outputs(root: &Path) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    let mut domains = Vec::new();
    for name in DOMAINS {
        domains.push(Domain::read(root, name)?);
    }
    for domain in &domains {
        outputs.extend(kernel::outputs(domain));
        outputs.push(model::output(domain)?);
        outputs.extend(erased::output(root, &domain.name)?);
    }
    outputs.extend(erased::shared(root)?);
    if let Some(contract) = Contract::read(root)? {
        outputs.extend(http::outputs(&contract, &domains)?);
        outputs.push(contract.bundle()?);
    }
    output::format(root, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_what_is_generated() {
        if let Err(error) = run(&crate::root(), &Arguments { check: true }) {
            panic!("{error:#}");
        }
    }
}
