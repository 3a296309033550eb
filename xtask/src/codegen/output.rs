//! Generated files in memory: formatting, writing, comparing.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

/// One generated file.
#[derive(Debug)]
pub(crate) struct Output {
    /// Where it belongs, from the root of the workspace, with `/` between folders.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// Formats the Rust files as `cargo fmt` would.
pub(crate) fn format(root: &Path, mut outputs: Vec<Output>) -> Result<Vec<Output>> {
    for Output { path, text } in &mut outputs {
        if Path::new(path)
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            *text = rustfmt(root, text).with_context(|| format!("formatting {path}"))?;
        }
    }
    Ok(outputs)
}

/// Runs rustfmt, or, where it is not installed, the next best thing.
fn rustfmt(root: &Path, text: &str) -> Result<String> {
    let child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let file = syn::parse_file(text).context("the generated text is not Rust")?;
        return Ok(prettyplease::unparse(&file));
    };
    // rustfmt reads all of its input before it writes, so this cannot deadlock.
    let mut input = child.stdin.take().context("rustfmt has no input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Writes what differs, deletes what is no longer generated, and says so.
pub(crate) fn write(root: &Path, outputs: &[Output]) -> Result<()> {
    for Output { path, text } in outputs {
        let target = root.join(path);
        if fs::read_to_string(&target).is_ok_and(|old| old == *text) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, text).with_context(|| format!("writing {path}"))?;
        println!("wrote {path}");
    }
    for path in orphans(root, outputs)? {
        fs::remove_file(root.join(&path)).with_context(|| format!("deleting {path}"))?;
        println!("deleted {path}, which nothing generates any more");
    }
    Ok(())
}

/// Fails naming each file that is not as it would be written.
pub(crate) fn check(root: &Path, outputs: &[Output]) -> Result<()> {
    let differences = differences(root, outputs)?;
    ensure!(
        differences.is_empty(),
        "{}\nrun `cargo xtask codegen` and commit the result",
        differences.join("\n")
    );
    Ok(())
}

/// The files that are stale, missing or orphaned, one line each.
fn differences(root: &Path, outputs: &[Output]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for Output { path, text } in outputs {
        match fs::read_to_string(root.join(path)) {
            Ok(old) if old == *text => {}
            Ok(_) => lines.push(format!("stale: {path}")),
            Err(_) => lines.push(format!("missing: {path}")),
        }
    }
    lines.extend(
        orphans(root, outputs)?
            .into_iter()
            .map(|path| format!("orphaned: {path}")),
    );
    Ok(lines)
}

/// The `*.gen.*` files in the tree that no output names.
fn orphans(root: &Path, outputs: &[Output]) -> Result<Vec<String>> {
    let known: BTreeSet<&str> = outputs.iter().map(|output| output.path.as_str()).collect();
    let mut found = Vec::new();
    walk(root, "", &mut found)?;
    found.retain(|path| !known.contains(path.as_str()));
    found.sort();
    Ok(found)
}

/// Collects the generated files below a folder, leaving out what is built or hidden.
fn walk(root: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                walk(root, &path, found)?;
            }
        } else if name.contains(".gen.") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(path: &str) -> Output {
        Output {
            path: path.to_owned(),
            text: "new\n".to_owned(),
        }
    }

    #[test]
    fn stale_missing_and_orphaned_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/stale.gen.rs"), "old\n").unwrap();
        fs::write(root.join("a/orphan.gen.rs"), "old\n").unwrap();
        fs::write(root.join("a/fresh.gen.rs"), "new\n").unwrap();
        let outputs = ["a/stale.gen.rs", "a/fresh.gen.rs", "b/missing.gen.rs"].map(output);

        let lines = differences(root, &outputs).unwrap();
        assert_eq!(
            lines,
            [
                "stale: a/stale.gen.rs",
                "missing: b/missing.gen.rs",
                "orphaned: a/orphan.gen.rs"
            ]
        );
        assert!(check(root, &outputs).is_err());

        write(root, &outputs).unwrap();
        check(root, &outputs).unwrap();
        assert!(!root.join("a/orphan.gen.rs").exists());
    }
}
