//! A process that outlives the command that starts it.
//!
//! It has a folder: `log`, `data`, and `process`, which says under which number it runs and on
//! which port it listens. A number alone proves nothing, because systems give them out again;
//! a process is the one that was started if it works in that folder.

use std::{
    fs::{self, File},
    io::ErrorKind,
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::place;

/// How long a start may take.
pub(super) const START: Duration = Duration::from_mins(1);

/// How long a process may take to end by itself.
pub(super) const END: Duration = Duration::from_secs(10);

/// How often to look.
const TICK: Duration = Duration::from_millis(10);

/// A process, whether it runs or not.
pub(super) struct Daemon {
    folder: PathBuf,
}

/// What is known of a process that runs.
#[derive(PartialEq, Eq)]
pub(super) struct Running {
    pid: Pid,
    /// Where it listens.
    pub(super) port: u16,
}

impl Running {
    /// Tells it from every other one, before and after it.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.pid, self.port)
    }
}

#[cfg(test)]
impl Running {
    /// Ends it at once, and waits until it is gone.
    pub(super) fn kill(self) {
        kill_process(self.pid, Signal::KILL).unwrap();
        let path = format!("/proc/{}/cwd", self.pid);
        assert!(happens_within(END, || fs::read_link(&path).is_err()));
    }
}

impl Daemon {
    /// The process of a folder, by its canonical path.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where its data is.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The process, if it runs.
    pub(super) fn running(&self) -> Option<Running> {
        let (pid, port) = self.noted()?;
        let pid = Pid::from_raw(pid)?;
        let works_in = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        works_in
            .starts_with(&self.folder)
            .then_some(Running { pid, port })
    }

    /// Whether any process works in the folder.
    pub(super) fn is_used(&self) -> bool {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|process| fs::read_link(process.path().join("cwd")).ok())
            .any(|works_in| works_in.starts_with(&self.folder))
    }

    /// The number and the port of the last process, whether it still runs or not.
    fn noted(&self) -> Option<(i32, u16)> {
        let note = fs::read_to_string(self.folder.join("process")).ok()?;
        let (pid, port) = note.trim().split_once(' ')?;
        Some((pid.parse().ok()?, port.parse().ok()?))
    }

    /// A free port; the same as the last time, if possible.
    pub(super) fn free_port(&self) -> Result<u16> {
        place::free_port(self.noted().map(|(_, port)| port))
    }

    /// Makes the folder, and that of the data.
    pub(super) fn prepare(&self) -> Result<()> {
        place::own(&self.folder)?;
        fs::create_dir_all(self.data())?;
        Ok(())
    }

    /// Starts a program, and waits until it is ready.
    pub(super) fn start(
        &self,
        port: u16,
        command: &mut Command,
        is_ready: impl Fn() -> bool,
    ) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let child = command
            .current_dir(&self.folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal is not for it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        fs::write(
            self.folder.join("process"),
            format!("{} {port}\n", child.id()),
        )?;
        let is_over = || is_ready() || self.running().is_none();
        if !happens_within(START, is_over) {
            self.stop()?;
            bail!("it is not ready after {START:?}\n{}", self.last_words());
        }
        if self.running().is_none() {
            bail!("it ended at once\n{}", self.last_words());
        }
        Ok(())
    }

    /// The end of the log, and where the rest is.
    fn last_words(&self) -> String {
        let path = self.folder.join("log");
        let log = fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.trim_end().lines().collect();
        let last = lines[lines.len().saturating_sub(6)..].join("\n");
        format!("{last}\n(the log is {})", path.display())
    }

    /// Ends the process, if it runs.
    pub(super) fn stop(&self) -> Result<()> {
        self.stop_within(END)
    }

    fn stop_within(&self, limit: Duration) -> Result<()> {
        // To Postgres the first alone means to wait for its clients.
        self.signal(&[Signal::TERM, Signal::INT]);
        let ends = || self.running().is_none();
        if !happens_within(limit, ends) {
            self.signal(&[Signal::KILL]);
            let folder = self.folder.display();
            ensure!(
                happens_within(END, ends),
                "the process of {folder} cannot be stopped"
            );
        }
        Ok(())
    }

    fn signal(&self, signals: &[Signal]) {
        for &signal in signals {
            if let Some(running) = self.running() {
                // One that ended meanwhile is what was wanted.
                let _ = kill_process(running.pid, signal);
            }
        }
    }

    /// Removes the data.
    pub(super) fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", self.data().display()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether somebody listens on a port of this machine.
pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits for something; whether it came true in time.
pub(super) fn happens_within(limit: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if is_true() {
            return true;
        }
        if began.elapsed() > limit {
            return false;
        }
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(folder: &tempfile::TempDir) -> Daemon {
        let daemon = Daemon::new(folder.path().join("daemon"));
        daemon.prepare().unwrap();
        daemon
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_runs_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = daemon(&folder);
        assert!(daemon.running().is_none());
        let mut command = shell("exec sleep 60");
        daemon.start(1234, &mut command, || true).unwrap();
        assert_eq!(daemon.running().unwrap().port, 1234);
        assert!(daemon.is_used());
        daemon.stop().unwrap();
        assert!(daemon.running().is_none());
        assert!(!daemon.is_used());
    }

    #[test]
    fn one_that_does_not_listen_to_reason_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = daemon(&folder);
        let deaf = "trap '' TERM INT; echo > deaf; while :; do sleep 0.01; done";
        let is_deaf = || folder.path().join("daemon/deaf").exists();
        daemon.start(1234, &mut shell(deaf), is_deaf).unwrap();
        daemon.stop_within(Duration::from_millis(50)).unwrap();
        assert!(daemon.running().is_none());
    }

    #[test]
    fn a_process_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = daemon(&folder);
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let note = format!("{} 1234\n", other.id());
        fs::write(folder.path().join("daemon/process"), note).unwrap();
        assert!(daemon.running().is_none());
        daemon.stop().unwrap();
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn one_that_ends_at_once_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = shell("echo it rains >&2; exit 1");
        let error = daemon(&folder).start(1234, &mut command, || false);
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("it ended at once\nit rains\n("),
            "{error}"
        );
    }
}
