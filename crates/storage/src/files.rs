//! Small files beside the objects: the configuration, and keys.

#![expect(
    clippy::disallowed_methods,
    reason = "files are the business of this crate"
)]

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
};

/// Reads a text file.
pub fn read_text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// From now on what this process makes is readable by nobody else, wherever it lies.
pub fn keep_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Makes a folder, and those above it, readable by nobody else.
pub fn create_folder(path: &Path) -> io::Result<()> {
    crate::disk::prepare(path)
}

/// That a folder is taken.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Takes a folder for this process alone, as long as what is answered lives.
/// `None` if another process has it. A process that dies gives it back.
pub fn take_folder(path: &Path) -> io::Result<Option<FolderLock>> {
    create_folder(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.open(path.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(FolderLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether something is at a path.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Reads a secret, or keeps a new one where there is none. The file is readable
/// by nobody else, and durable before it is used. Of two processes that begin
/// at the same moment, both use the same secret.
pub fn read_or_keep_secret(path: &Path, new: impl FnOnce() -> String) -> io::Result<String> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Written beside and then linked, so that nobody ever reads half a secret.
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    if !path.exists() {
        _ = fs::remove_file(&draft);
        let mut file = options.open(&draft)?;
        file.write_all(new().as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_folder_of(path)?;
    }
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

/// Reads a secret, if there is one.
pub fn read_secret(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a file into the place of another in the same folder: whoever looks finds the one or the
/// other, whatever happens meanwhile, and once this returns it is durable.
pub fn replace_file(path: &Path, by: &Path) -> io::Result<()> {
    fs::rename(by, path)?;
    sync_folder_of(path)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let first = super::read_or_keep_secret(&path, || "one".to_owned()).unwrap();
        let second = super::read_or_keep_secret(&path, || "two".to_owned()).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("one", "one"));
    }

    #[test]
    fn a_secret_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let [path, next] = ["key", "next"].map(|name| folder.path().join(name));
        for (path, secret) in [(&path, "one"), (&next, "two")] {
            super::read_or_keep_secret(path, || secret.to_owned()).unwrap();
        }
        super::replace_file(&path, &next).unwrap();
        let read = |path| super::read_secret(path).unwrap();
        assert_eq!((read(&path).as_deref(), read(&next)), (Some("two"), None));
    }
}
