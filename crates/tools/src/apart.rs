//! Reads documents in a process of its own.
//!
//! A PDF of a few kilobytes can lead whatever parses it to take any amount of memory, because its objects stand for each
//! other as often as it likes, and no parser counts what all of them take. But the system counts what a process takes. So
//! [`serve`] is what such a process does, and `read` what starts one, hands it a document, and waits for the text.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use serde::{Deserialize, Serialize};

use crate::extract::{self, ExtractError, Extracted, Limits};

/// What the program is told to [`serve`], with the bytes of memory that it may have.
pub const COMMAND: &str = "read-document";

/// What goes before the bytes of a document, on a line.
#[derive(Serialize, Deserialize)]
struct Head {
    media_type: String,
    name: String,
    limits: Limits,
}

/// Has a document read by a process of the program.
pub(crate) fn read(
    program: &Path,
    bytes: &[u8],
    media_type: &str,
    name: &str,
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    let head = Head {
        media_type: media_type.to_owned(),
        name: name.to_owned(),
        limits: limits.clone(),
    };
    ask(program, &head, bytes).unwrap_or(Err(ExtractError::Busy))
}

fn ask(program: &Path, head: &Head, bytes: &[u8]) -> io::Result<Result<Extracted, ExtractError>> {
    let mut child = Command::new(program)
        .args([COMMAND, &head.limits.memory_bytes.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let head = serde_json::to_vec(head)?;
        // A process that does not read to the end is told by its own.
        drop(input.write_all(&[&head, &b"\n"[..], bytes].concat()));
    }
    let output = child.wait_with_output()?;
    Ok(match serde_json::from_slice(&output.stdout) {
        Ok(answer) => answer,
        Err(_) if has_crashed(output.status) => Err(ExtractError::TooCostly),
        // It could not begin, or the machine goes down.
        Err(_) => Err(ExtractError::Busy),
    })
}

/// Whether a process ended by what it did.
#[cfg(unix)]
fn has_crashed(status: ExitStatus) -> bool {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;

    // The last is what the system sends to whom it takes the memory away from.
    let crashes = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::KILL];
    let ended_by = status.signal();
    crashes.iter().any(|crash| ended_by == Some(crash.as_raw()))
}

#[cfg(not(unix))]
fn has_crashed(status: ExitStatus) -> bool {
    !status.success()
}

/// Reads the one document that comes in, and writes out what is found, with no more memory than so many bytes.
///
/// # Errors
///
/// When what comes in is not of a server, or nobody wants the answer.
pub fn serve(memory: u64) -> io::Result<()> {
    bound_memory(memory)?;
    let (mut input, mut line) = (io::stdin().lock(), String::new());
    input.read_line(&mut line)?;
    let head: Head = serde_json::from_str(&line)?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let answer = extract::extract(&bytes, &head.media_type, &head.name, &head.limits);
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, &answer)?;
    output.flush()
}

/// Sees to it that an allocation beyond so many bytes ends this process.
#[cfg(unix)]
fn bound_memory(bytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use std::os::unix::process::CommandExt;

    if getrlimit(Resource::As)
        .maximum
        .is_some_and(|bound| bound <= bytes)
    {
        return Ok(());
    }
    let at_most = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // How it ends is no news, and what was in it is nobody's business.
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::As, at_most(bytes))?;
    // What an allocator has reserved already is beyond the bound, so the program begins anew.
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.args([COMMAND, &bytes.to_string()]).exec())
}

/// Other systems have no such bound; time is bounded there too.
#[cfg(not(unix))]
fn bound_memory(_: u64) -> io::Result<()> {
    Ok(())
}
