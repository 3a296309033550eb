//! A program that serves, for as long as it is measured.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use super::{http::Client, programs::Programs};
use crate::process;

/// Where programs say where they listen.
const LISTENS: &str = "listens on http://";

/// A running program. It is killed when it is dropped.
pub(super) struct Served {
    child: Child,
    /// Kept open: the program may have more to say, and must not fail by it.
    _said: BufReader<ChildStdout>,
    /// Host and port.
    pub(super) address: String,
}

impl Served {
    /// Starts a program, and waits until it says where it listens.
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let said = child.stdout.take().context("the program has no output")?;
        let mut said = BufReader::new(said);
        let mut line = String::new();
        loop {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                let ending = process::ending(child.wait()?);
                bail!("{command:?} {ending} before it listened");
            }
            if let Some((_, rest)) = line.split_once(LISTENS) {
                let address = rest.split_whitespace().next().unwrap_or_default();
                return Ok(Self {
                    child,
                    _said: said,
                    address: address.to_owned(),
                });
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Starts what the server is measured against.
pub(super) fn baseline(programs: &Programs) -> Result<Served> {
    Served::start(Command::new(&programs.baseline))
}

/// A data folder and the server on it, without the local model.
pub(super) struct Server {
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    // Before the folder, for it ends before that goes.
    pub(super) served: Served,
    folder: TempDir,
}

impl Server {
    /// Starts the server on an empty folder below `parent`.
    pub(super) fn start(programs: &Programs, parent: &Path) -> Result<Self> {
        Self::with(programs, parent, &[])
    }

    /// Starts the server with settings of the environment, named without their prefix.
    pub(super) fn with(
        programs: &Programs,
        parent: &Path,
        settings: &[(&'static str, &str)],
    ) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("data-")
            .tempdir_in(parent)
            .context("making a data folder")?;
        let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let settings: Vec<_> = settings.iter().map(owned).collect();
        let served = serve(&programs.server, folder.path(), &settings)?;
        Ok(Self {
            program: programs.server.clone(),
            settings,
            served,
            folder,
        })
    }

    /// Kills the server, and starts it again on the same folder.
    pub(super) fn restart(self) -> Result<Self> {
        let Self {
            program,
            settings,
            served,
            folder,
        } = self;
        drop(served);
        let served = serve(&program, folder.path(), &settings)?;
        Ok(Self {
            program,
            settings,
            served,
            folder,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.served.pid()
    }

    /// A client without a credential.
    pub(super) fn guest(&self) -> Client {
        Client::new(&self.served.address, None)
    }

    /// Signs somebody up, and answers the access token.
    pub(super) fn sign_up(&self) -> Result<String> {
        let body = json!({ "email": EMAIL, "name": "bench", "password": PASSWORD });
        let tokens = self.guest().post("/v1/auth/register", &body)?;
        let token = tokens["access_token"].as_str();
        Ok(token.context("there is no access token")?.to_owned())
    }

    /// A client with an access token.
    pub(super) fn client(&self, token: &str) -> Client {
        Client::new(&self.served.address, Some(token))
    }
}

/// The user of the bench.
pub(super) const EMAIL: &str = "bench@example.com";

/// Their password.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// Runs the server on a data folder. Nothing that is set on this machine counts.
fn serve(program: &Path, folder: &Path, settings: &[(&str, String)]) -> Result<Served> {
    let mut command = Command::new(program);
    process::forget_this_package(&mut command);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("ARCHESAI_") {
            command.env_remove(name);
        }
    }
    command
        .arg("serve")
        .current_dir(folder)
        .env("ARCHESAI_DATA_DIR", folder)
        .env("ARCHESAI_PORT", "0")
        .env("ARCHESAI_EMBEDDINGS", "off")
        .env("ARCHESAI_LOG", "warn")
        .env("ARCHESAI_GUEST_REQUESTS_PER_MINUTE", "1000000000")
        .env("ARCHESAI_CALLER_REQUESTS_PER_MINUTE", "1000000000")
        .stderr(Stdio::inherit());
    for (name, value) in settings {
        command.env(format!("ARCHESAI_{name}"), value);
        if *name == "LOG" {
            // Whoever lets it log as usual does not want to read it.
            command.stderr(Stdio::null());
        }
    }
    Served::start(command)
}
