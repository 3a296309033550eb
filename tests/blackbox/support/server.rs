//! A server of a test's own: its process, its folder, its port.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::{Client, User};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// A running server. It is killed when the test ends.
pub(crate) struct Server {
    folder: TempDir,
    settings: Vec<(String, String)>,
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server without an embedding model.
    pub(crate) fn start() -> Self {
        Self::with(&[("EMBEDDINGS", "off")])
    }

    /// Starts a server with settings of the environment, named without their prefix.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<_> = settings.iter().map(owned).collect();
        let (child, url) = spawn(&folder, &settings);
        Self {
            folder,
            settings,
            child,
            url,
        }
    }

    /// Kills the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the process again, on the same folder.
    pub(crate) fn restart(&mut self) {
        (self.child, self.url) = spawn(&self.folder, &self.settings);
    }

    /// Asks the process to stop, and answers whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        sent.success() && self.child.wait().unwrap().success()
    }

    /// The folder with its data.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A client without a credential.
    pub(crate) fn guest(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// Signs somebody up.
    pub(crate) async fn sign_up(&self, name: &str) -> User {
        User::sign_up(self.guest(), name).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Starts the process and waits until it says where it listens.
fn spawn(folder: &TempDir, settings: &[(String, String)]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archesai"));
    command
        .arg("serve")
        .env("ARCHESAI_DATA_DIR", folder.path())
        .env("ARCHESAI_PORT", "0")
        .env("ARCHESAI_LOG", "warn")
        .current_dir(folder.path())
        .stdout(Stdio::piped());
    for (name, value) in settings {
        command.env(format!("ARCHESAI_{name}"), value);
    }
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix("archesai listens on ") {
                let url = rest.split_whitespace().next().unwrap_or_default();
                _ = sender.send(url.to_owned());
            }
        }
    });
    let url = receiver.recv_timeout(START);
    (
        child,
        url.expect("the server did not start; its log is above"),
    )
}
