//! Where the servers live: a scratch folder that one command at a time works in.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    net::TcpListener,
    ops::Range,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::daemon::Daemon;
use crate::process;

/// Ports that systems do not give to outgoing connections, so that one that was free stays so;
/// neither do they 10,000 further on, where the nodes of a Redis cluster talk to each other.
const PORTS: Range<u16> = 20_000..22_688;

/// How many of them commands that look at the same time are apart.
const APART: u16 = 64;

/// A set of servers.
pub(super) struct Place {
    /// The workspace.
    pub(super) root: PathBuf,
    /// Whether what Postgres confirms is on the disk.
    pub(super) durable: bool,
    /// Where unpacked programs are.
    pub(super) programs: PathBuf,
    folder: PathBuf,
    /// Held as long as somebody works here.
    _lock: File,
}

impl Place {
    /// Waits for its turn in the folder that the environment says.
    pub(super) fn enter(root: &Path, durable: bool) -> Result<Self> {
        let scratch = process::set("ARCHESAI_SERVICES_DIR").unwrap_or_else(|| {
            let user = rustix::process::geteuid().as_raw();
            std::env::temp_dir().join(format!("archesai-services-{user}"))
        });
        Self::within(&scratch, root, durable)
    }

    /// Waits for its turn in a folder.
    pub(super) fn within(scratch: &Path, root: &Path, durable: bool) -> Result<Self> {
        own(scratch).with_context(|| format!("making {}", scratch.display()))?;
        // As the system says where a process works.
        let scratch = fs::canonicalize(scratch)?;
        let folder = scratch.join(if durable { "durable" } else { "test" });
        let programs = scratch.join("programs");
        own(&folder)?;
        own(&programs)?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock().context("waiting for another `services`")?;
        Ok(Self {
            root: root.to_owned(),
            durable,
            programs,
            folder,
            _lock: lock,
        })
    }

    /// The folder of this set of servers.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of the processes.
    pub(super) fn daemon(&self, name: &str) -> Daemon {
        Daemon::new(self.folder.join(name))
    }
}

/// Makes a folder of one's own. Others may pass through, since Postgres runs as somebody else
/// where this is root.
pub(super) fn own(folder: &Path) -> Result<()> {
    let permissions = Permissions::from_mode(0o711);
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(folder)?;
    let owner = fs::symlink_metadata(folder)?.uid();
    ensure!(
        owner == rustix::process::geteuid().as_raw(),
        "it belongs to somebody else; set ARCHESAI_SERVICES_DIR to another folder"
    );
    fs::set_permissions(folder, permissions)?;
    Ok(())
}

/// A port of this machine that nobody listens on: the one that was used before, if it is free.
pub(super) fn free_port(before: Option<u16>) -> Result<u16> {
    let listens = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let stretches = u32::from((PORTS.end - PORTS.start) / APART);
    let mine = u16::try_from(std::process::id() % stretches)? * APART + PORTS.start;
    let candidates = before.into_iter().chain(mine..PORTS.end).chain(PORTS);
    let mut free = candidates.filter(|&port| listens(port) && listens(port + 10_000));
    free.next()
        .with_context(|| format!("all ports of {PORTS:?} are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_not_free() {
        let first = free_port(None).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", first)).unwrap();
        assert_ne!(free_port(Some(first)).unwrap(), first);
        drop(listener);
    }

    #[test]
    fn the_port_of_before_comes_first() {
        assert_eq!(free_port(Some(22_687)).unwrap(), 22_687);
    }
}
