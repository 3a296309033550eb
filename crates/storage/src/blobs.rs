//! The store as a whole: where it is, and what it does with a key.

use std::{ops::Range, path::Path, path::PathBuf, sync::Arc, time::SystemTime};

use archesai_content::{self as content, ports};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, local::LocalFileSystem};
use tokio::task::spawn_blocking;

use crate::{Error, Reader, Result, Writer, disk, key};

/// The bytes of artifacts by key. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// The folder, where the store is one.
    root: Option<PathBuf>,
}

impl Blobs {
    /// A store in a folder of the local disk, which is made if it does not exist.
    ///
    /// Files and folders are flushed to the disk before a write is acknowledged.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the folder cannot be made or read.
    pub async fn on_disk(root: impl Into<PathBuf>) -> Result<Self> {
        let root: PathBuf = root.into();
        let store = blocking({
            let root = root.clone();
            move || {
                disk::prepare(&root).map_err(Error::unavailable)?;
                LocalFileSystem::new_with_prefix(&root).map_err(Error::unavailable)
            }
        })
        .await?;
        Ok(Self {
            store: Arc::new(store.with_fsync(true)),
            root: Some(root),
        })
    }

    /// A store over any other object store, which must be durable by itself.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, root: None }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it does not.
    #[expect(
        clippy::disallowed_methods,
        reason = "files are the business of this crate"
    )]
    pub async fn check(&self) -> Result<()> {
        if let Some(root) = self.root.clone() {
            let entries = blocking(move || std::fs::read_dir(root).map_err(Error::unavailable));
            return entries.await.map(drop);
        }
        match self
            .store
            .head(&object_store::path::Path::from("probe"))
            .await
        {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::unavailable(error)),
        }
    }

    /// Removes what uploads that were never finished have left on the disk, if nobody has written
    /// to them since `before`; answers how many. To be called at the start, after a process
    /// may have been killed. Other stores expire them by their own rules.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the folder cannot be read or changed.
    pub async fn sweep(&self, before: SystemTime) -> Result<u64> {
        let Some(root) = self.root.clone() else {
            return Ok(0);
        };
        blocking(move || disk::sweep(&root, before).map_err(Error::unavailable)).await
    }

    /// The folder, where the store is one.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reader> {
        let path = key::parse(key)?;
        if let Some(range) = &range {
            // What reaches no byte is no range for the store; whether it is right the size tells.
            let head = self.store.head(&path).await;
            let size = head.map_err(|error| Error::from_store(error, key))?.size;
            if range.start > range.end || range.end > size {
                let range = range.clone();
                return Err(Error::Range { range, size });
            }
            if range.is_empty() {
                return Ok(Reader::empty());
            }
        }
        let options = GetOptions::default().with_range(range.map(GetRange::Bounded));
        let result = self.store.get_opts(&path, options).await;
        Reader::new(result.map_err(|error| Error::from_store(error, key))?).await
    }
}

impl ports::Blobs for Blobs {
    type Writer = Writer;
    type Reader = Reader;

    async fn create(&self, key: &str) -> content::Result<Writer> {
        let path = key::parse(key)?;
        let part = if self.root.is_some() {
            Writer::DISK_PART
        } else {
            Writer::PART
        };
        Ok(Writer::new(Arc::clone(&self.store), path, part))
    }

    async fn open(&self, key: &str, range: Option<Range<u64>>) -> content::Result<Reader> {
        Ok(self.read(key, range).await?)
    }

    /// The removal is not flushed to the disk: what a power failure brings back is an object
    /// that nothing refers to.
    async fn delete(&self, key: &str) -> content::Result<()> {
        let path = key::parse(key)?;
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::unavailable(error).into()),
        }
    }
}

/// Runs file system work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(Error::unavailable)?
}
