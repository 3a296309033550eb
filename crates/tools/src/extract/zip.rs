//! Reads the parts of an archive under a budget, so that a small file cannot inflate into all of the memory.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ExtractError, Format, Limits};

/// An archive whose parts share one budget of bytes.
pub(super) struct Archive<'a> {
    inner: ZipArchive<Cursor<&'a [u8]>>,
    format: Format,
    left: usize,
    limit: usize,
}

impl<'a> Archive<'a> {
    pub(super) fn open(
        bytes: &'a [u8],
        format: Format,
        limits: &Limits,
    ) -> Result<Self, ExtractError> {
        if declared_entries(bytes) > limits.archive_entries {
            return Err(too_many(limits));
        }
        let inner = ZipArchive::new(Cursor::new(bytes))
            .map_err(|_| ExtractError::damaged(format, "it is not a complete archive"))?;
        if inner.len() > limits.archive_entries {
            return Err(too_many(limits));
        }
        Ok(Self {
            inner,
            format,
            left: limits.inflated_bytes,
            limit: limits.inflated_bytes,
        })
    }

    /// The bytes of a part, or `None` when the archive has no such part.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let part = match self.inner.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                return Err(ExtractError::Locked(self.format));
            }
            Err(_) => return Err(unreadable(self.format, name)),
        };
        // The declared size may lie, so what comes out is counted.
        let mut bytes = Vec::new();
        part.take(self.left as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| unreadable(self.format, name))?;
        if bytes.len() > self.left {
            return Err(ExtractError::too_large(
                "unpacked document",
                self.limit,
                "bytes",
            ));
        }
        self.left -= bytes.len();
        Ok(Some(bytes))
    }
}

/// The signature of a central directory's header (APPNOTE.TXT, 4.3.12).
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";

/// How many entries the archive can have at most: opening it keeps something for each, so they are counted before.
fn declared_entries(bytes: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'P') {
        rest = &rest[at..];
        if rest.starts_with(CENTRAL_HEADER) {
            count += 1;
        }
        rest = &rest[1..];
    }
    count
}

fn too_many(limits: &Limits) -> ExtractError {
    ExtractError::too_large("archive", limits.archive_entries, "entries")
}

fn unreadable(format: Format, name: &str) -> ExtractError {
    ExtractError::damaged(format, format!("its part {name} cannot be unpacked"))
}
