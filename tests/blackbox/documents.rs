//! What the documents say is so: the settings they list, the files they point to.

use std::{collections::BTreeMap, process::Command};

use crate::support::root;

/// The documents that people begin with.
const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/configuration.md",
];

/// The top folders of the repository: a word that begins with one of them is a path.
const FOLDERS: [&str; 7] = [
    "api-spec/",
    "crates/",
    "deploy/",
    "docs/",
    "migrations/",
    "tests/",
    "xtask/",
];

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

/// The settings that a document lists, in its order: rows of tables that begin with a name and a default.
fn listed(text: &str) -> Vec<(String, String)> {
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        (plain(cells.next().unwrap()), plain(cells.next().unwrap()))
    })
    .collect()
}

/// The settings and their defaults, in order, as the program tells them to somebody without any.
fn told() -> Vec<(String, String)> {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_archesai"))
        .args(["config", "show"])
        .env_clear()
        .env("HOME", "~")
        .current_dir(nowhere.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let rows = table.lines().map(|line| {
        let (name, rest) = line.split_once(' ').unwrap();
        let value = rest.trim().strip_suffix("default").unwrap().trim();
        let by_cores = ["http_workers", "parallel_password_hashes"].contains(&name);
        let value = match value {
            "(not set)" => "not set",
            value if by_cores && value == cores => "one per core",
            value => value,
        };
        (name.to_owned(), value.to_owned())
    });
    rows.collect()
}

#[test]
fn the_configuration_reference_lists_every_setting_and_its_default() {
    assert_eq!(listed(&read("docs/configuration.md")), told());
}

#[test]
fn the_readme_lists_settings_there_are() {
    let told: BTreeMap<_, _> = told().into_iter().collect();
    let listed = listed(&read("README.md"));
    assert!(!listed.is_empty());
    for (name, default) in listed {
        assert_eq!(told.get(&name), Some(&default), "the README about `{name}`");
    }
}

/// The paths that a document names: what its links point to, and what it writes as code.
fn paths(text: &str) -> Vec<String> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    // A word of code may name a line or a placeholder; only what is a plain path is looked for.
    let code = text.split('`').skip(1).step_by(2);
    let code = code.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let code = code.filter(|word| !word.contains(['<', '*', ' ', '{', '…']));
    links.chain(code).map(ToOwned::to_owned).collect()
}

#[test]
fn every_path_in_the_documents_is_there() {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let file = root().join(document);
        let folder = file.parent().unwrap();
        for path in paths(&read(document)) {
            if !folder.join(&path).exists() && !root().join(&path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn paths_are_found_in_links_and_in_code() {
    let text = "[a](docs/a.md#b) [c](https://example.com) [d](#d) `crates/x/src/y.rs` `crates/<name>` `true`";
    assert_eq!(paths(text), ["docs/a.md", "crates/x/src/y.rs"]);
}
