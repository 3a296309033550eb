//! The programs that the commands call, and the folders they share.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

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

/// Where cargo builds: the folder that `CARGO_TARGET_DIR` names, or one in the project's cache.
pub(crate) fn target() -> Result<PathBuf> {
    match set("CARGO_TARGET_DIR") {
        Some(folder) => Ok(folder),
        None => Ok(cache()?.join("target")),
    }
}

/// The same cargo that runs this program, in the workspace at `root`, building into the
/// project's cache unless `CARGO_TARGET_DIR` says otherwise.
pub(crate) fn cargo(root: &Path) -> Result<Command> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command.env("CARGO_TARGET_DIR", target()?);
    forget_this_package(&mut command);
    Ok(command)
}

/// Takes away what `cargo run` told this program about itself: build scripts that look at it
/// would run again each time a developer changes between `cargo` and `cargo xtask`.
pub(crate) fn forget_this_package(command: &mut Command) {
    forget(command, &["CARGO_PKG_", "CARGO_MANIFEST_"]);
}

/// Takes away where the servers of the tests are: a server refuses settings it does not know.
pub(crate) fn forget_test_servers(command: &mut Command) {
    forget(command, &["ARCHESAI_TEST_", "ARCHESAI_SERVICES_"]);
}

/// Takes away the variables that begin so.
fn forget(command: &mut Command, beginnings: &[&str]) {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning))
        {
            command.env_remove(&*name);
        }
    }
}

/// Whether cargo has a plugin.
pub(crate) fn has_plugin(root: &Path, name: &str) -> Result<bool> {
    let probe = cargo(root)?.args([name, "--version"]).output();
    Ok(probe.is_ok_and(|output| output.status.success()))
}

/// What cargo says, line by line, about what it built.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Finds the program of a name in what cargo says about what it built.
pub(crate) fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter(|message: &Message| {
            let target = message.target.as_ref();
            target.is_some_and(|target| target.name == name)
        })
        .find_map(|message| message.executable)
}

/// How a program ended, as a reader wants to be told.
pub(crate) fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

/// Runs a program and keeps what it says to itself, unless it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let ending = ending(output.status);
    ensure!(output.status.success(), "{ending}\n{}", said.trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let error = quietly(&mut command).unwrap_err().to_string();
        assert_eq!(error, "ended with status 3\none\ntwo");
        quietly(&mut Command::new("true")).unwrap();
    }

    #[test]
    fn a_program_is_found_in_what_cargo_says() {
        let said = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"archesai_server"},"executable":null}"#,
            "\nnot JSON\n",
            r#"{"reason":"compiler-artifact","target":{"name":"archesai"},"executable":"/t/archesai"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executable(said, "archesai");
        assert_eq!(found, Some(PathBuf::from("/t/archesai")));
        assert_eq!(executable("{}", "archesai"), None);
    }
}
