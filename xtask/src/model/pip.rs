//! Python's package installer, as a way to fetch a file that is published as a package.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// What Python may be called.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// What to do where pip is not there.
const MISSING: &str = "it takes Python 3 with pip, which is not installed; install it (on Debian: \
                       `apt-get install python3-pip`) and try again";

/// Puts the wheel of a package, pinned as `name==version`, into a folder.
pub(super) fn download(package: &str, folder: &Path) -> Result<()> {
    let python = PYTHONS.into_iter().find(has_pip).context(MISSING)?;
    let output = pip(python)
        .args([
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
        ])
        .arg(folder)
        .arg(package)
        .output()
        .context("starting pip")?;
    let said = last_word(&output);
    ensure!(
        output.status.success(),
        "pip could not fetch {package}: {said}"
    );
    Ok(())
}

fn has_pip(python: &&str) -> bool {
    let probe = pip(python).arg("--version").output();
    probe.is_ok_and(|output| output.status.success())
}

fn pip(python: &str) -> Command {
    let mut command = Command::new(python);
    let quiet = ["-m", "pip", "--disable-pip-version-check", "--no-input"];
    command.args(quiet).stdin(Stdio::null());
    command
}

/// The last line of what pip complains about.
fn last_word(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.next_back().unwrap_or("it does not say why");
    last.trim_start_matches("ERROR: ").to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn the_last_complaint_is_kept() {
        let output = Output {
            status: ExitStatus::default(),
            stdout: Vec::new(),
            stderr: b"WARNING: slow\nERROR: No matching distribution found\n\n".to_vec(),
        };
        assert_eq!(last_word(&output), "No matching distribution found");
    }
}
