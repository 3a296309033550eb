//! What the local disk needs beyond an object store's operations: a folder to begin
//! with, and a broom.

#![expect(
    clippy::disallowed_methods,
    reason = "files are the business of this crate"
)]

use std::{
    fs::{self, DirBuilder, File},
    io,
    path::Path,
    time::SystemTime,
};

/// Makes the folder that holds the objects, readable by nobody else, where it does not exist yet.
pub(crate) fn prepare(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(root)?;
    // A crash must not take away the folder and with it the objects that were durable in it.
    match root.canonicalize()?.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// Removes the unfinished uploads under `root` that nobody has written to since `before`;
/// answers how many there were.
///
/// Symbolic links are not followed. A file or folder that goes away meanwhile is
/// somebody else's business.
pub(crate) fn sweep(root: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in present(fs::read_dir(&folder))?.into_iter().flatten() {
            let entry = entry?;
            let Some(metadata) = present(entry.metadata())? else {
                continue;
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file()
                && is_unfinished(&entry.file_name().to_string_lossy())
                && metadata.modified()? < before
                && present(fs::remove_file(entry.path()))?.is_some()
            {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Whether `object_store` writes an upload to a file of this name until it is finished: the
/// name of the object, `#`, a number. No key holds a `#`.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Nothing where something has gone away in the meantime.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sweeps_old_unfinished_uploads_and_nothing_else() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner)?;
        for name in ["object", "object#1", "object#12", "object#", "object#1x"] {
            fs::write(inner.join(name), name)?;
        }
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(sweep(root.path(), long_ago)?, 0);

        let written = fs::metadata(inner.join("object#12"))?;
        let later = written.modified()? + Duration::from_mins(1);
        assert_eq!(sweep(root.path(), later)?, 2);
        let mut left: Vec<String> = fs::read_dir(&inner)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        left.sort();
        assert_eq!(left, ["object", "object#", "object#1x"]);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_private() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir()?;
        let root = parent.path().join("files/deep");
        prepare(&root)?;
        prepare(&root)?;
        let mode = fs::metadata(&root)?.permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        Ok(())
    }
}
