//! `cargo xtask serve --scaled`: several processes on this machine, on the back ends of a system
//! that outgrew one.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{process, services};

/// The processes: what part each does, and on which port; 0 is any that is free.
const PARTS: [(&str, &str); 4] = [
    ("api", "8080"),
    ("api", "8081"),
    ("worker", "0"),
    ("worker", "0"),
];

/// How often to look whether all of them live.
const LOOK: Duration = Duration::from_millis(500);

/// A system of several processes.
struct System {
    program: PathBuf,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    flags: Vec<String>,
}

/// Starts the back ends and the processes, and starts again whichever dies, until one is asked to
/// stop: Ctrl-C tells all of them.
pub(super) fn run(root: &Path, program: PathBuf, flags: Vec<String>) -> Result<()> {
    let (folder, settings) = services::for_serving(root)?;
    println!(
        "the servers, and what they keep, are in {}",
        folder.display()
    );
    println!("`cargo xtask services down --durable` stops them and removes it");
    let system = System {
        program,
        folder,
        settings,
        flags,
    };
    let mut processes = Vec::new();
    for (part, port) in PARTS {
        processes.push(system.start(part, port)?);
    }
    loop {
        sleep(LOOK);
        for (process, (part, port)) in processes.iter_mut().zip(PARTS) {
            match process.try_wait()? {
                None => {}
                Some(status) if status.success() => return end(processes),
                Some(status) => *process = system.again(part, port, status)?,
            }
        }
    }
}

impl System {
    fn start(&self, part: &str, port: &str) -> Result<Child> {
        let mut command = Command::new(&self.program);
        process::forget_this_package(&mut command);
        process::forget_test_servers(&mut command);
        command.args([part, "--port", port, "--data-dir"]);
        command.arg(self.folder.join("nodes")).args(&self.flags);
        command.envs(self.settings.iter().cloned());
        let process = command.stdin(Stdio::null()).spawn();
        process.with_context(|| format!("running {}", self.program.display()))
    }

    fn again(&self, part: &str, port: &str, status: ExitStatus) -> Result<Child> {
        let ending = process::ending(status);
        eprintln!("a process `{part}` {ending}; it is started again");
        self.start(part, port)
    }
}

/// Waits until all have ended.
fn end(processes: Vec<Child>) -> Result<()> {
    for mut process in processes {
        process.wait()?;
    }
    Ok(())
}
