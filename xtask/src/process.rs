//! The programs that the commands call, and the folders they share.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result};

/// The project's own folder for what can be made again: `$XDG_CACHE_HOME/archesai`, or the same
/// below `~/.cache`.
pub(crate) fn cache() -> Result<PathBuf> {
    let folder = match set("XDG_CACHE_HOME") {
        Some(folder) => folder,
        None => set("HOME")
            .context("neither XDG_CACHE_HOME nor HOME is set; set one of them")?
            .join(".cache"),
    };
    Ok(folder.join("archesai"))
}

/// What an environment variable that names a path says, unless it is not set or empty.
pub(crate) fn set(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable)?;
    (!value.is_empty()).then(|| value.into())
}

/// The same cargo that runs this program, in the workspace at `root`, building into the
/// project's cache unless `CARGO_TARGET_DIR` says otherwise.
pub(crate) fn cargo(root: &Path) -> Result<Command> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    if set("CARGO_TARGET_DIR").is_none() {
        command.env("CARGO_TARGET_DIR", cache()?.join("target"));
    }
    forget_this_package(&mut command);
    Ok(command)
}

/// Takes away what `cargo run` told this program about itself: build scripts that look at it
/// would run again each time a developer changes between `cargo` and `cargo xtask`.
pub(crate) fn forget_this_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if let Some(text) = name.to_str()
            && (text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(&name);
        }
    }
}

/// Whether cargo has a plugin.
pub(crate) fn has_plugin(root: &Path, name: &str) -> Result<bool> {
    let probe = cargo(root)?.args([name, "--version"]).output();
    Ok(probe.is_ok_and(|output| output.status.success()))
}

/// How a program ended, as a reader wants to be told.
pub(crate) fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "was ended by a signal".to_owned(),
    }
}
