//! The files of the repository: what git keeps, or would keep.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::mentions::{self, Mention};

/// A file of the repository that is text.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is, from the root, with `/` between folders.
    pub(super) path: String,
    /// What it says.
    pub(super) text: String,
    /// What it names, if it is Rust.
    pub(super) mentions: Vec<Mention>,
    /// Whether it is never part of a program that people run.
    pub(super) is_test: bool,
}

impl File {
    /// A file by its path and text.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let is_rust = has_extension(path, "rs");
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            mentions: if is_rust {
                mentions::of(text)
            } else {
                Vec::new()
            },
            is_test: stands_aside(path),
        }
    }

    /// Whether it is a Rust file.
    pub(super) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    /// Whether it is generated, going by its name.
    pub(super) fn is_generated(&self) -> bool {
        name(&self.path).contains(".gen.")
    }

    /// Whether it belongs to a crate, by the name of its folder.
    pub(super) fn is_of(&self, crates: &[&str]) -> bool {
        let rest = self.path.strip_prefix("crates/");
        let folder = rest.and_then(|rest| rest.split('/').next());
        folder.is_some_and(|folder| crates.contains(&folder))
    }

    /// What it names outside of tests.
    pub(super) fn product(&self) -> impl Iterator<Item = &Mention> {
        let mentions = self.mentions.iter();
        mentions.filter(|mention| !self.is_test && !mention.in_test)
    }

    /// What it names within tests.
    pub(super) fn tests(&self) -> impl Iterator<Item = &Mention> {
        let mentions = self.mentions.iter();
        mentions.filter(|mention| self.is_test || mention.in_test)
    }
}

/// Whether a path names a file of tests, examples, build scripts or maintainers' commands.
fn stands_aside(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["crates", "conformance", ..] => true,
        ["crates", _, "src", ..] => false,
        _ => true,
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Every file of the workspace at `root` that is text.
pub(super) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in listed(root)? {
        // A file that git knows and that is deleted is not there; one that is not text says nothing.
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push(File::new(&path, &text));
        }
    }
    mark_test_modules(&mut files);
    Ok(files)
}

/// What git keeps, and what it would keep: all but what is ignored.
fn listed(root: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git is not installed, and it knows which files count")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "git ls-files: {}",
        complaint.trim()
    );
    let paths = String::from_utf8(output.stdout)?;
    let paths = paths.split('\0').filter(|path| !path.is_empty());
    Ok(paths.map(str::to_owned).collect())
}

/// Marks the files that a parent declares as a module for tests only.
fn mark_test_modules(files: &mut [File]) {
    let mut modules = Vec::new();
    for file in files.iter() {
        let declared = file
            .mentions
            .iter()
            .filter_map(|mention| mention.test_module());
        modules
            .extend(declared.map(|module| format!("{}/{module}", folder_of_modules(&file.path))));
    }
    for file in files {
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let is_in = |module: &String| {
            let rest = stem.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        file.is_test |= modules.iter().any(is_in);
    }
}

/// Where the modules that a file declares are.
fn folder_of_modules(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match name(path) {
        "mod.rs" | "lib.rs" | "main.rs" => folder,
        _ => path.strip_suffix(".rs").unwrap_or(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_of_crates_are_product() {
        for path in ["crates/auth/src/lib.rs", "crates/http/src/handlers/auth.rs"] {
            assert!(!File::new(path, "").is_test, "{path}");
        }
        for path in [
            "crates/auth/tests/it/main.rs",
            "crates/auth/examples/embedding.rs",
            "crates/auth/build.rs",
            "crates/conformance/src/lib.rs",
            "tests/src/lib.rs",
            "xtask/src/main.rs",
        ] {
            assert!(File::new(path, "").is_test, "{path}");
        }
    }

    #[test]
    fn modules_for_tests_are_tests_wherever_they_are() {
        let mut files = [
            File::new(
                "crates/a/src/lib.rs",
                "#[cfg(test)]\nmod samples;\nmod real;",
            ),
            File::new("crates/a/src/samples.rs", ""),
            File::new("crates/a/src/samples/deep.rs", ""),
            File::new("crates/a/src/samples_of_else.rs", ""),
            File::new("crates/a/src/real.rs", "#[cfg(test)] mod tests;"),
            File::new("crates/a/src/real/tests.rs", ""),
        ];
        mark_test_modules(&mut files);
        let marked = files.map(|file| file.is_test);
        assert_eq!(marked, [false, true, true, false, false, true]);
    }

    #[test]
    fn a_file_knows_its_crate() {
        let file = File::new("crates/storage/src/lib.rs", "");
        assert!(file.is_of(&["ai", "storage"]));
        assert!(!file.is_of(&["stor"]));
    }
}
