//! Files that must be what they were when somebody looked: size and SHA-256 (FIPS 180-4).

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;

/// What a file must be.
pub(crate) struct Pinned {
    /// What it is called.
    pub(crate) name: &'static str,
    /// How many bytes it has.
    pub(crate) bytes: u64,
    /// The hash of its bytes, in hexadecimal digits.
    pub(crate) sha256: &'static str,
}

impl Pinned {
    /// Whether a file of the right size is there.
    pub(crate) fn has_size(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == self.bytes)
    }

    /// Fails unless the bytes of the file are the right ones.
    pub(crate) fn verify(&self, path: &Path, message: &str) -> Result<()> {
        let progress = Progress::bytes(message, self.bytes);
        let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        self.compare(&copy(&mut file, &mut io::sink(), &progress)?)
    }

    /// Fails unless the hash is the right one.
    pub(crate) fn compare(&self, found: &str) -> Result<()> {
        let (name, expected) = (self.name, self.sha256);
        ensure!(
            found == expected,
            "{name} is not what it should be: its SHA-256 is {found} rather than {expected}"
        );
        Ok(())
    }
}

/// Copies to the end; the hash of what was copied, in hexadecimal digits.
pub(crate) fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    progress: &Progress,
) -> Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        let bytes = &buffer[..read];
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        to.write_all(bytes)?;
        progress.advance(read);
    }
    let mut digits = String::new();
    for byte in hash.finalize() {
        write!(digits, "{byte:02x}")?;
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-4 for one block.
    const ABC: Pinned = Pinned {
        name: "abc",
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    #[test]
    fn only_the_right_bytes_pass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert!(ABC.has_size(&path));
        ABC.verify(&path, "checking").unwrap();
        fs::write(&path, "abd").unwrap();
        assert!(ABC.has_size(&path));
        let error = ABC.verify(&path, "checking").unwrap_err().to_string();
        assert!(error.contains("abc is not what it should be"), "{error}");
    }
}
