//! The store as a whole: where it is, and what it does with a key.

use std::{
    fmt,
    ops::Range,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use archesai_content::{self as content, ports};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path,
};
use tokio::task::spawn_blocking;

use crate::{
    Error, Reader, Result, S3Settings, Writer, disk, key,
    s3::{Method, S3},
};

/// The bytes of artifacts by key. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    place: Place,
}

/// What a store is, as far as it matters.
#[derive(Clone, Debug)]
enum Place {
    /// A folder.
    Disk(PathBuf),
    /// A bucket.
    S3(S3),
    /// Something else.
    Other,
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
            place: Place::Disk(root),
        })
    }

    /// A store in a bucket of S3, or of what speaks like it. Nothing is asked of the server, see
    /// [`Blobs::check`].
    ///
    /// Each call answers within five seconds when the server does not, and tries again by itself for
    /// the first of them; a transfer goes on for as long as bytes get through. What an upload leaves
    /// behind whose process was killed, or that could not be given up since the server was gone, is
    /// for the bucket to remove, by a rule that aborts incomplete multipart uploads after a day.
    ///
    /// # Errors
    /// [`Error::Settings`] where the settings are wrong.
    pub fn on_s3(settings: &S3Settings) -> Result<Self> {
        let s3 = S3::new(settings)?;
        Ok(Self {
            store: s3.store(),
            place: Place::S3(s3),
        })
    }

    /// A store over any other object store, which must be durable by itself.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            place: Place::Other,
        }
    }

    /// Whether the store answers, and can be used.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it does not answer, [`Error::NoBucket`] where it has none of this name,
    /// [`Error::Refused`] where the credentials are not good for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "files are the business of this crate"
    )]
    pub async fn check(&self) -> Result<()> {
        match &self.place {
            Place::Disk(root) => {
                let root = root.clone();
                let entries = blocking(move || std::fs::read_dir(root).map_err(Error::unavailable));
                entries.await.map(drop)
            }
            Place::S3(s3) => s3.check().await,
            Place::Other => match self.store.head(&Path::from("probe")).await {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(Error::unavailable(error)),
            },
        }
    }

    /// An address under which anybody can read the object for some time, a week at most, without
    /// asking this process. Nothing where the store has no addresses. Whether there is an object is
    /// for the server to say.
    ///
    /// # Errors
    /// [`Error::Key`] for a key that is none.
    pub async fn presign_get(&self, key: &str, ttl: Duration) -> Result<Option<String>> {
        self.presign(Method::GET, key, ttl).await
    }

    /// An address under which anybody can store an object under the key for some time, a week at most,
    /// by one HTTP PUT of up to 5 GiB. Nothing where the store has no addresses.
    ///
    /// # Errors
    /// [`Error::Key`] for a key that is none.
    pub async fn presign_put(&self, key: &str, ttl: Duration) -> Result<Option<String>> {
        self.presign(Method::PUT, key, ttl).await
    }

    async fn presign(&self, method: Method, key: &str, ttl: Duration) -> Result<Option<String>> {
        let path = key::parse(key)?;
        match &self.place {
            Place::S3(s3) => s3.presign(method, &path, ttl).await.map(Some),
            Place::Disk(_) | Place::Other => Ok(None),
        }
    }

    /// Removes what uploads that were never finished have left on the disk, if nobody has written
    /// to them since `before`; answers how many. To be called at the start, after a process
    /// may have been killed. Other stores expire them by their own rules.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the folder cannot be read or changed.
    pub async fn sweep(&self, before: SystemTime) -> Result<u64> {
        let Place::Disk(root) = self.place.clone() else {
            return Ok(0);
        };
        blocking(move || disk::sweep(&root, before).map_err(Error::unavailable)).await
    }

    /// The folder, where the store is one.
    pub fn root(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Disk(root) => Some(root),
            Place::S3(_) | Place::Other => None,
        }
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
        let part = match self.place {
            Place::Disk(_) => Writer::DISK_PART,
            Place::S3(_) | Place::Other => Writer::PART,
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

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blobs").field(&self.place).finish()
    }
}

/// Runs file system work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(Error::unavailable)?
}
