//! What no committed file says: where somebody's packages come from, and where somebody's files
//! are. Either would hold on one machine only.

use super::{Finding, files::File};

/// Files that are not ours, and this one, which must name what it looks for.
const EXEMPT: [&str; 2] = ["tests/data/", "xtask/src/tidy/words.rs"];

/// Parts of the names of hosts that serve packages.
const REGISTRIES: [&str; 8] = [
    "artifactory",
    "index",
    "mirror",
    "mirrors",
    "nexus",
    "pypi",
    "registry",
    "pythonhosted",
];

/// Folders that hold what is somebody's own, and whether a name must follow.
const FOLDERS: [(&str, bool); 4] = [
    ("/work/", false),
    ("/root/", false),
    ("/home/", true),
    ("/Users/", true),
];

/// The lines of a file that say what they must not.
pub(super) fn words(file: &File) -> Vec<Finding> {
    if EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(host) = hosts(line).find(|host| is_registry(host)) {
            let message = format!("names the registry {host}; leave that to whoever builds");
            findings.push(Finding::at(&file.path, index + 1, message));
        }
        if let Some(folder) = private_folder(line) {
            let message = format!("names a folder of one machine, {folder}…");
            findings.push(Finding::at(&file.path, index + 1, message));
        }
    }
    findings
}

/// The hosts of the addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let rests = line.split("://").skip(1);
    rests.map(|rest| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        &rest[..end]
    })
}

fn is_registry(host: &str) -> bool {
    let host = host.to_lowercase();
    let serves = |label: &str| REGISTRIES.contains(&label);
    host.split(['.', '-']).any(serves) || host == "static.crates.io"
}

/// A folder of somebody's own that a line names as a whole path.
fn private_folder(line: &str) -> Option<&'static str> {
    let names = |folder: &str, needs_name: bool| {
        let mut places = line.match_indices(folder);
        places.any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + folder.len()..].chars().next();
            let is_whole = before.is_none_or(|c| !c.is_alphanumeric() && !".~-_}>/*".contains(c));
            is_whole && (!needs_name || after.is_some_and(char::is_alphanumeric))
        })
    };
    let mut folders = FOLDERS.into_iter();
    folders.find_map(|(folder, needs_name)| names(folder, needs_name).then_some(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> usize {
        words(&File::new("README.md", line)).len()
    }

    #[test]
    fn registries_are_found() {
        for line in [
            "index-url = https://pypi.example/simple",
            "see https://artifactory.example.com/api",
            "resolved \"https://registry.npmjs.org/x/-/x-1.tgz\"",
            "https://files.pythonhosted.org/a",
            "sparse+https://index.crates.io/",
        ] {
            assert_eq!(found(line), 1, "{line}");
        }
        for line in [
            "a crate of crates.io",
            "registry+https://github.com/rust-lang/crates.io-index",
            "https://example.com/registry",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for line in ["cd /work/main", "`/root/x`", "at /home/ada/x", "/Users/ada"] {
            assert_eq!(found(line), 1, "{line}");
        }
        for line in [
            "rework/main",
            "${base}/work/x",
            "$HOME/.cache",
            "/home/",
            "a/root/b",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
    }

    #[test]
    fn samples_are_not_ours() {
        assert!(words(&File::new("tests/data/a.html", "/home/ada")).is_empty());
    }
}
