//! Reading an object in chunks.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use archesai_content::{self as content, ports::BlobReader};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use object_store::{GetResult, GetResultPayload};

use crate::{Error, Result, blobs::blocking};

/// The bytes of an object, one chunk after the other.
pub struct Reader {
    source: Source,
    /// How many bytes are still to come.
    remaining: u64,
}

/// Where the bytes come from.
enum Source {
    /// Nothing is left.
    Done,
    /// A file: read here rather than through the store's stream, whose chunks of 8 KiB cost a
    /// change of threads each.
    File(File),
    /// A store that streams.
    Stream(BoxStream<'static, object_store::Result<Bytes>>),
}

impl Reader {
    /// The most that one chunk of a file holds, in bytes.
    pub const CHUNK: usize = 256 << 10;

    /// Of nothing.
    pub(crate) fn empty() -> Self {
        Self {
            source: Source::Done,
            remaining: 0,
        }
    }

    pub(crate) async fn new(result: GetResult) -> Result<Self> {
        let remaining = result.range.end - result.range.start;
        let start = result.range.start;
        let source = match result.payload {
            GetResultPayload::File(mut file, _) => {
                let seek = move || match file.seek(SeekFrom::Start(start)) {
                    Ok(_) => Ok(file),
                    Err(error) => Err(Error::unavailable(error)),
                };
                Source::File(blocking(seek).await?)
            }
            GetResultPayload::Stream(stream) => Source::Stream(stream),
        };
        Ok(Self { source, remaining })
    }

    /// The next chunk; nothing at the end, and after an error.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let chunk = match std::mem::replace(&mut self.source, Source::Done) {
            Source::Done => return Ok(None),
            Source::File(file) => {
                let (file, chunk) = read(file, self.remaining).await?;
                self.source = Source::File(file);
                chunk
            }
            Source::Stream(mut stream) => {
                let chunk = pull(&mut stream).await?;
                self.source = Source::Stream(stream);
                chunk
            }
        };
        let Some(remaining) = self.remaining.checked_sub(chunk.len() as u64) else {
            self.source = Source::Done;
            return Err(Error::unavailable("the object is longer than it was"));
        };
        self.remaining = remaining;
        Ok(Some(chunk))
    }
}

impl BlobReader for Reader {
    async fn next(&mut self) -> content::Result<Option<Vec<u8>>> {
        Ok(self.chunk().await?)
    }
}

/// Reads the next chunk of a file.
async fn read(mut file: File, remaining: u64) -> Result<(File, Vec<u8>)> {
    blocking(move || {
        let most = remaining.min(Reader::CHUNK as u64);
        let mut chunk = Vec::with_capacity(Reader::CHUNK);
        match (&mut file).take(most).read_to_end(&mut chunk) {
            Ok(0) => Err(Error::unavailable(early())),
            Ok(_) => Ok((file, chunk)),
            Err(error) => Err(Error::unavailable(error)),
        }
    })
    .await
}

/// Takes the next chunk of a stream that is not empty.
async fn pull(stream: &mut BoxStream<'static, object_store::Result<Bytes>>) -> Result<Vec<u8>> {
    loop {
        match stream.next().await {
            Some(Ok(chunk)) if chunk.is_empty() => {}
            Some(Ok(chunk)) => return Ok(chunk.into()),
            Some(Err(error)) => return Err(Error::unavailable(error)),
            None => return Err(Error::unavailable(early())),
        }
    }
}

fn early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the object ended early")
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}
