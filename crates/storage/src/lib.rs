//! The bytes of artifacts in an object store: a folder of the local disk, or a bucket of S3 or of
//! what speaks like it.
//!
//! [`Blobs`] implements the port of that name of the content context, and streams in both directions, so that the size of an object never shows
//! in the memory of the process: a [`Writer`] holds a few parts of
//! [`Writer::DISK_PART`] or [`Writer::PART`] bytes, a [`Reader`] one chunk. An object appears whole, under its key, when its writer is
//! finished, and is durable by then; a writer that is dropped before leaves nothing.
//!
//! This is the one crate that names `std::fs`: its module `disk` prepares the
//! folder and sweeps out what a killed process left in it.

mod blobs;
mod disk;
mod error;
mod files;
mod key;
mod reader;
mod s3;
mod writer;

pub use blobs::Blobs;
pub use error::{Error, Result};
pub use files::{
    FolderLock, create_folder, exists, keep_private, read_or_keep_secret, read_secret, read_text,
    replace_file, take_folder,
};
pub use reader::Reader;
pub use s3::S3Settings;
pub use writer::Writer;
