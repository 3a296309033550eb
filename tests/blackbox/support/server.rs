//! A server of a test's own: its process, its folder, its port, its log.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use archesai_conformance::servers::Scratch;
use tempfile::{NamedTempFile, TempDir};

use super::{Backends, Client, Owner, Secrets, User, client::PASSWORD};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// A running server. It is killed when the test ends; and whatever the test was
/// about, nothing secret may stand in its log.
pub(crate) struct Server {
    folder: TempDir,
    log: NamedTempFile,
    settings: Vec<(String, String)>,
    part: &'static str,
    backends: Arc<Backends>,
    child: Child,
    secrets: Secrets,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server without an embedding model.
    pub(crate) fn start() -> Self {
        Self::with(&[("EMBEDDINGS", "off")])
    }

    /// Starts a server that has everything in its folder, whatever the others of this run have, for
    /// tests that look into it.
    pub(crate) fn embedded() -> Self {
        Self::part("serve", Backends::named(""), &[("EMBEDDINGS", "off")])
    }

    /// Starts a server with settings of the environment, named without their prefix.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::part("serve", Backends::of_this_run(), settings)
    }

    /// Starts a process on back ends of its own, which does the part of that name.
    pub(crate) fn part(part: &'static str, backends: Backends, settings: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = settings.iter().map(owned).chain(backends.settings());
        Self::of(part, settings.collect(), Arc::new(backends))
    }

    /// Starts another process on the same back ends, which does the part of that name.
    pub(crate) fn beside(&self, part: &'static str) -> Self {
        let mut other = Self::of(part, self.settings.clone(), Arc::clone(&self.backends));
        other.secrets = self.secrets.clone();
        other
    }

    /// Starts several processes that do everything, at once, on the same back ends.
    pub(crate) fn at_once(number: usize, backends: Backends) -> Vec<Self> {
        let mut settings = vec![("EMBEDDINGS".to_owned(), "off".to_owned())];
        settings.extend(backends.settings());
        let backends = Arc::new(backends);
        thread::scope(|scope| {
            let start = || Self::of("serve", settings.clone(), Arc::clone(&backends));
            let starts: Vec<_> = (0..number).map(|_| scope.spawn(start)).collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        })
    }

    fn of(part: &'static str, settings: Vec<(String, String)>, backends: Arc<Backends>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = NamedTempFile::new().unwrap();
        let (child, url) = spawn(part, &folder, &log, &settings);
        Self {
            folder,
            log,
            settings,
            part,
            backends,
            child,
            secrets: Secrets::default(),
            url,
        }
    }

    /// Kills the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Changes a setting for the next start, and for commands.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(set, _)| set != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Another command of the program, with the settings of this server and its folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(arguments, &self.folder, &self.settings)
    }

    /// Starts the process again, on the same folder.
    pub(crate) fn restart(&mut self) {
        (self.child, self.url) = spawn(self.part, &self.folder, &self.log, &self.settings);
    }

    /// Asks the process to stop.
    pub(crate) fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process has ended, and answers whether it did well.
    pub(crate) fn ended_well(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    /// Asks the process to stop, and answers whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        self.ask_to_stop();
        self.ended_well()
    }

    /// The most memory it has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().split_whitespace().next().unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Takes the database away from it, or gives it back.
    pub(crate) fn have_database(&self, is_there: bool) {
        self.backends.have_database(self.folder(), is_there);
    }

    /// The database, where it is in Postgres.
    pub(crate) fn database(&self) -> &Scratch {
        self.backends.database()
    }

    /// Who owns its database.
    pub(crate) fn owner(&self) -> Owner {
        let is_url = |(name, _): &&(String, String)| name == "DATABASE_OWNER_URL";
        match self.settings.iter().find(is_url) {
            Some((_, url)) => Owner::Postgres(url.clone()),
            None => Owner::Sqlite(self.folder().join("archesai.db")),
        }
    }

    /// The folder with its data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it logged so far: one JSON object a line.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// A client without a credential.
    pub(crate) fn guest(&self) -> Client {
        Client::new(&self.url, None, self.secrets.clone())
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
        let log = self.log();
        if thread::panicking() {
            print_faults(&log);
            return;
        }
        for secret in self.secrets.all().iter().map(String::as_str) {
            assert!(!log.contains(secret), "the log tells `{secret}`");
        }
        assert!(!log.contains(PASSWORD), "the log tells a password");
    }
}

/// Prints what went wrong, for whoever looks into a test that failed.
fn print_faults(log: &str) {
    let routine = ["\"level\":\"DEBUG\"", "\"level\":\"INFO\""];
    let faults = log
        .lines()
        .filter(|line| !routine.iter().any(|level| line.contains(level)));
    for line in faults {
        eprintln!("server: {line}");
    }
}

/// The program. Of what is set on this machine only where the model lies counts.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archesai"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ARCHESAI_") && text != "ARCHESAI_MODEL_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that is to end well, and answers what it prints.
pub(crate) fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that is to end badly before long, and answers the one line it complains in.
pub(crate) fn fail(mut command: Command) -> String {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > START {
            _ = child.kill();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(!status.success(), "{said}");
    // The log is objects, one a line.
    let complaints = said.lines().filter(|line| !line.starts_with('{'));
    let complaints: Vec<_> = complaints.collect();
    assert_eq!(complaints.len(), 1, "{said}");
    complaints[0].to_owned()
}

/// A command of the program, with a folder and settings.
fn command(arguments: &[&str], folder: &TempDir, settings: &[(String, String)]) -> Command {
    let mut command = program();
    command
        .args(arguments)
        .env("ARCHESAI_DATA_DIR", folder.path())
        .env("ARCHESAI_PORT", "0")
        // As much as anybody would ever log, for a secret to show.
        .env("ARCHESAI_LOG", "debug")
        .env("ARCHESAI_LOG_FORMAT", "json")
        .current_dir(folder.path());
    for (name, value) in settings {
        command.env(format!("ARCHESAI_{name}"), value);
    }
    command
}

/// Starts the process and waits until it says where it listens.
fn spawn(
    part: &str,
    folder: &TempDir,
    log: &NamedTempFile,
    settings: &[(String, String)],
) -> (Child, String) {
    // A process that is started again goes on where the one before ended.
    let log = File::options().append(true).open(log.path()).unwrap();
    let mut command = command(&[part], folder, settings);
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
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
