//! Writing an object in parts.

use std::{fmt, mem, sync::Arc};

use archesai_content::{
    self as content,
    ports::{BlobWriter, Stored},
};
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, path::Path};
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, task::JoinSet};

use crate::{Error, Result, blobs::blocking};

/// An object in the making. Dropped before it is finished, it leaves nothing behind.
pub struct Writer {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// The size of a part.
    part: usize,
    hash: Sha256,
    size: u64,
    /// What does not fill a part yet.
    buffer: Vec<u8>,
    /// The parts that were sent. An object that fits into one part has none.
    upload: Option<Upload>,
    /// Whether every byte so far is in the buffer, in flight, or stored.
    intact: bool,
}

/// An upload in several parts.
struct Upload {
    target: Box<dyn MultipartUpload>,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl Writer {
    /// The size of a part in bytes: the least that S3 takes, so that an object has at most
    /// 10,000 of them, which is 48 GiB.
    pub const PART: usize = 5 << 20;

    /// The size of a part on the local disk, which takes any: the less, the less memory.
    pub const DISK_PART: usize = 1 << 20;

    /// How many parts are on their way while another one fills.
    pub const IN_FLIGHT: usize = 2;

    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, part: usize) -> Self {
        Self {
            store,
            path,
            part,
            hash: Sha256::new(),
            size: 0,
            buffer: Vec::new(),
            upload: None,
            intact: true,
        }
    }

    /// Takes bytes in, and sends every part that they fill.
    async fn append(&mut self, bytes: Vec<u8>) -> Result<()> {
        // Only when all of it has gone well; a caller that gives up halfway leaves a hole.
        if !mem::replace(&mut self.intact, false) {
            return Err(Error::Broken);
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let room = self.part - self.buffer.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() == self.part {
                self.send_part().await?;
            }
        }
        self.intact = true;
        Ok(())
    }

    /// Sends what is left, and makes the object whole.
    async fn complete(mut self) -> Result<Stored> {
        if !self.intact {
            return Err(Error::Broken);
        }
        if self.upload.is_none() {
            let rest = self.hashed().await?;
            let payload = PutPayload::from_bytes(rest);
            let put = self.store.put(&self.path, payload).await;
            put.map_err(Error::unavailable)?;
        } else {
            if !self.buffer.is_empty() {
                self.send_part().await?;
            }
            let upload = self.upload.as_mut().ok_or(Error::Broken)?;
            while let Some(part) = upload.in_flight.join_next().await {
                arrived(part)?;
            }
            let completed = upload.target.complete().await;
            completed.map_err(Error::unavailable)?;
            self.upload = None;
        }
        Ok(Stored {
            size: self.size,
            sha256: mem::take(&mut self.hash).finalize().into(),
        })
    }

    /// Sends the buffer off as a part, when there is room for one more on the way.
    async fn send_part(&mut self) -> Result<()> {
        if let Some(upload) = &mut self.upload
            && upload.in_flight.len() >= Self::IN_FLIGHT
            && let Some(part) = upload.in_flight.join_next().await
        {
            arrived(part)?;
        }
        let part = self.hashed().await?;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let target = self.store.put_multipart(&self.path).await;
                none.insert(Upload {
                    target: target.map_err(Error::unavailable)?,
                    in_flight: JoinSet::new(),
                })
            }
        };
        let sending = upload.target.put_part(PutPayload::from_bytes(part));
        upload.in_flight.spawn(sending);
        // The next part is as long, unless this was the last one.
        self.buffer = Vec::with_capacity(self.part);
        Ok(())
    }

    /// Takes the buffer, and its bytes into the hash. A part takes milliseconds, which
    /// is more than other requests should wait for.
    async fn hashed(&mut self) -> Result<Bytes> {
        let mut hash = mem::take(&mut self.hash);
        let part = Bytes::from(mem::take(&mut self.buffer));
        self.size += part.len() as u64;
        let work = {
            let part = part.clone();
            move || {
                hash.update(&part);
                Ok(hash)
            }
        };
        self.hash = blocking(work).await?;
        Ok(part)
    }
}

impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Vec<u8>) -> content::Result<()> {
        Ok(self.append(bytes).await?)
    }

    async fn finish(self) -> content::Result<Stored> {
        Ok(self.complete().await?)
    }
}

/// What became of a part that was on its way.
fn arrived(
    part: std::result::Result<object_store::Result<()>, tokio::task::JoinError>,
) -> Result<()> {
    part.map_err(Error::unavailable)?
        .map_err(Error::unavailable)
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        // Outside a runtime the store's own clean-up, or the next sweep, has to do.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                // A part that arrives after the end of its upload would stay.
                upload.in_flight.shutdown().await;
                // Nobody is left to hear of a failure; the next sweep repeats this.
                drop(upload.target.abort().await);
            });
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .field("size", &(self.size + self.buffer.len() as u64))
            .finish_non_exhaustive()
    }
}
