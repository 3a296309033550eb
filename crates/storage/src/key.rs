//! Which keys an object may have.

use object_store::path::Path;

use crate::{Error, Result};

/// The longest key in bytes: what S3 allows less room for a prefix.
const MAX_KEY: usize = 512;

/// The longest part between slashes in bytes: what file systems allow, less room for the
/// `#1` by which an unfinished upload is told from an object.
const MAX_SEGMENT: usize = 200;

/// Parses a key: segments of ASCII letters, digits, `-`, `_` and `.` with `/` between them.
///
/// The alphabet is small because a key is also the path of a file: it has no way
/// out of the folder, no difference between file systems, and no `#`, which
/// marks unfinished uploads.
pub(crate) fn parse(key: &str) -> Result<Path> {
    check(key).map_err(|reason| Error::Key {
        key: key.to_owned(),
        reason,
    })?;
    Ok(Path::from(key))
}

fn check(key: &str) -> std::result::Result<(), &'static str> {
    if key.len() > MAX_KEY {
        return Err("it is longer than 512 bytes");
    }
    key.split('/').try_for_each(|segment| {
        if segment.is_empty() {
            return Err("a part of it is empty");
        }
        if segment.len() > MAX_SEGMENT {
            return Err("a part of it is longer than 200 bytes");
        }
        if segment.starts_with(['.', '-']) {
            return Err("a part of it begins with a dot or a dash");
        }
        if !segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        {
            return Err("it holds something other than letters, digits, `-`, `_`, `.` and `/`");
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_plain_keys() {
        for key in ["a", "0198/artifact.bin", "org/a-b_c.d/01"] {
            assert_eq!(parse(key).expect(key).as_ref(), key);
        }
    }

    #[test]
    fn refuses_every_way_out() {
        let long = "a".repeat(201);
        let longer = ["a".repeat(100).as_str(); 6].join("/");
        for key in [
            "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "../a", ".hidden", "-rf", "a\\b",
            "a#1", "a\0b", "a b", "C:a", "%2e%2e/a", "ä", &long, &longer,
        ] {
            assert!(matches!(parse(key), Err(Error::Key { .. })), "{key:?}");
        }
    }
}
