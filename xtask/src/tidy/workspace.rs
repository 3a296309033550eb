//! The packages of the workspace and what they depend on, as cargo tells it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::process;

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    /// Its name, such as `archesai-auth`.
    pub(super) name: String,
    /// What it depends on, in every way.
    pub(super) dependencies: Vec<Dependency>,
}

impl Package {
    /// What the package is called within the project.
    pub(super) fn short(&self) -> &str {
        short(&self.name)
    }

    /// The names of what it needs to be built, as opposed to tested.
    pub(super) fn needs(&self) -> impl Iterator<Item = &str> {
        let dependencies = self.dependencies.iter();
        dependencies
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
            .map(|dependency| dependency.name.as_str())
    }

    /// The manifest, from the root of the workspace.
    pub(super) fn manifest(&self) -> String {
        match self.short() {
            "xtask" => "xtask/Cargo.toml".to_owned(),
            name => format!("crates/{name}/Cargo.toml"),
        }
    }
}

/// A dependency as the manifest declares it.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    /// The name of the package.
    pub(super) name: String,
    /// Nothing for a normal one, else `dev` or `build`.
    pub(super) kind: Option<String>,
}

/// The name without the prefix that all packages of the project have.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("archesai-").unwrap_or(name)
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The packages of the workspace at `root`.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let said = ask(root, &arguments)?;
    let metadata: Metadata = serde_json::from_str(&said).context("reading cargo metadata")?;
    Ok(metadata.packages)
}

/// For each crate, the names of all packages it is built from, at any depth.
pub(super) fn trees<'a>(root: &Path, crates: &[&'a str]) -> Result<Vec<(&'a str, Vec<String>)>> {
    let mut trees = Vec::new();
    for &name in crates {
        let package = format!("archesai-{name}");
        let form = ["-e", "normal", "--prefix", "none", "--format", "{p}"];
        let said = ask(root, &[&["tree", "-p", &package][..], &form].concat())?;
        let words = said.lines().filter_map(|line| line.split(' ').next());
        let mut names: Vec<String> = words.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        trees.push((name, names));
    }
    Ok(trees)
}

fn ask(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = process::cargo(root)?
        .args(arguments)
        .output()
        .context("starting cargo")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let command = arguments.join(" ");
    ensure!(
        output.status.success(),
        "cargo {command}: {}",
        complaint.trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
pub(super) mod fixtures {
    //! Packages that are not there.

    use super::{Dependency, Package};

    /// A package with normal dependencies.
    pub(crate) fn package(name: &str, needs: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
            kind: None,
        };
        Package {
            name: name.to_owned(),
            dependencies: needs.iter().map(dependency).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_tests_are_not_needed_and_those_of_build_scripts_are() {
        let json = r#"{"packages": [{"name": "archesai-auth", "dependencies": [
            {"name": "serde", "kind": null}, {"name": "tokio", "kind": "dev"}, {"name": "cc", "kind": "build"}
        ]}]}"#;
        let metadata: Metadata = serde_json::from_str(json).unwrap();
        let package = &metadata.packages[0];
        assert_eq!(package.needs().collect::<Vec<_>>(), ["serde", "cc"]);
        assert_eq!(package.manifest(), "crates/auth/Cargo.toml");
    }
}
