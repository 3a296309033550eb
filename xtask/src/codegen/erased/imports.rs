//! The imports that the twins need: those of the ports, seen from another crate.

use std::fmt::Write as _;

use syn::{File, Item, UseTree};

/// One name that a file imports or declares.
struct Name {
    /// Where it comes from.
    path: String,
    /// What it is called in the file.
    called: String,
}

/// The imports for a text, out of what modules of a crate, each with its path, import and declare.
pub(super) fn text(krate: &str, files: &[(String, File)], body: &str) -> String {
    let mut names = Vec::new();
    for (module, file) in files {
        for item in &file.items {
            match item {
                Item::Use(item) => collect(&item.tree, "", krate, &mut names),
                item => names.extend(declared(item).map(|called| Name {
                    path: format!("{module}::{called}"),
                    called,
                })),
            }
        }
    }
    let mut paths: Vec<String> = Vec::new();
    for name in names {
        let known = paths
            .iter()
            .any(|path| path.ends_with(&format!("::{}", name.called)));
        if !known && uses(body, &name.called) {
            paths.push(name.path);
        }
    }
    paths.sort();
    let mut text = String::new();
    let (std, own): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.starts_with("std::"));
    // The crate's own names stand with those of async-trait, below those of the standard library.
    for (root, group) in [("std", std), (krate, own)] {
        let rest: Vec<_> = group
            .iter()
            .filter_map(|path| path.strip_prefix(root)?.strip_prefix("::"))
            .collect();
        if !rest.is_empty() {
            let end = if root == "std" { "\n\n" } else { "\n" };
            _ = write!(text, "use {root}::{{{}}};{end}", nested(&rest));
        }
    }
    text
}

/// Paths as the inside of one import, those of a module together.
fn nested(paths: &[&str]) -> String {
    let mut parts: Vec<(String, Vec<&str>)> = Vec::new();
    for path in paths {
        let (module, name) = path.rsplit_once("::").unwrap_or(("", path));
        match parts.iter_mut().find(|(known, _)| known == module) {
            Some((_, names)) => names.push(name),
            None => parts.push((module.to_owned(), vec![name])),
        }
    }
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(module, names)| match (module.as_str(), &names[..]) {
            ("", _) => names.join(", "),
            (module, [name]) => format!("{module}::{name}"),
            (module, _) => format!("{module}::{{{}}}", names.join(", ")),
        })
        .collect();
    parts.join(", ")
}

/// The names of an import.
fn collect(tree: &UseTree, prefix: &str, krate: &str, names: &mut Vec<Name>) {
    let join = |segment: &str| {
        let segment = if prefix.is_empty() && segment == "crate" {
            krate
        } else {
            segment
        };
        if prefix.is_empty() {
            segment.to_owned()
        } else {
            format!("{prefix}::{segment}")
        }
    };
    match tree {
        UseTree::Path(path) => collect(&path.tree, &join(&path.ident.to_string()), krate, names),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, prefix, krate, names);
            }
        }
        UseTree::Name(name) => {
            let called = name.ident.to_string();
            names.push(Name {
                path: join(&called),
                called,
            });
        }
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

/// The name that an item declares.
fn declared(item: &Item) -> Option<String> {
    Some(match item {
        Item::Trait(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// Whether a text names something, other than in the comments. A module is named by its path.
fn uses(body: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let module = name.starts_with(char::is_lowercase);
    body.lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .any(|line| {
            line.match_indices(name).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = &line[at + name.len()..];
                !before.is_some_and(part)
                    && !after.chars().next().is_some_and(part)
                    && (!module || after.trim_start().starts_with("::"))
            })
        })
}
