//! What an object store must do: one function for each promise of the port.

use std::ops::Range;

use archesai_content::{
    Error,
    ports::{BlobReader, BlobWriter, Blobs, Stored},
};
use sha2::{Digest, Sha256};

use crate::fresh;

/// What S3 takes at least of every part of an upload but the last, and so a size
/// around which adapters do something else.
const PART: usize = 5 << 20;

/// Runs every check. Keys are new ones, so that a store may have objects already.
pub async fn suite(blobs: &impl Blobs) {
    bytes_come_back_as_they_were_written(blobs).await;
    a_range_has_the_bytes_within(blobs).await;
    what_was_never_stored_is_not_found(blobs).await;
    what_is_deleted_is_gone(blobs).await;
    nothing_is_seen_before_it_is_finished(blobs).await;
    a_dropped_writer_leaves_nothing(blobs).await;
    writers_do_not_meet(blobs).await;
}

fn key() -> String {
    format!("{:032x}/{:032x}", fresh(), fresh())
}

/// Bytes in which no two places look alike.
fn bytes(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect()
}

async fn put(blobs: &impl Blobs, key: &str, data: &[u8]) -> Stored {
    let mut writer = blobs.create(key).await.unwrap();
    for chunk in data.chunks(300_000) {
        writer.write(chunk.to_vec()).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn get(blobs: &impl Blobs, key: &str, range: Option<Range<u64>>) -> Vec<u8> {
    let mut reader = blobs.open(key, range).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        assert!(!chunk.is_empty(), "a chunk is never empty");
        all.extend(chunk);
    }
    all
}

async fn is_missing(blobs: &impl Blobs, key: &str) {
    for range in [None, Some(0..1)] {
        let opened = blobs.open(key, range).await.err();
        assert!(matches!(opened, Some(Error::NotFound)), "{opened:?}");
    }
}

async fn bytes_come_back_as_they_were_written(blobs: &impl Blobs) {
    for size in [0, 1, 1 << 20, PART - 1, PART, PART + 1, 3 * PART + 7] {
        let (key, data) = (key(), bytes(size));
        let stored = put(blobs, &key, &data).await;
        let sha256: [u8; 32] = Sha256::digest(&data).into();
        assert_eq!((stored.size, stored.sha256), (size as u64, sha256));
        assert!(get(blobs, &key, None).await == data, "{size} bytes");
    }
}

async fn a_range_has_the_bytes_within(blobs: &impl Blobs) {
    let (key, data) = (key(), bytes(2 * PART));
    let end = data.len();
    put(blobs, &key, &data).await;
    for range in [0..1, 5..9, 1_000_000..6_000_000, end - 1..end, 0..end] {
        let asked = range.start as u64..range.end as u64;
        let found = get(blobs, &key, Some(asked)).await;
        assert!(found == data[range.clone()], "{range:?}");
    }
}

async fn what_was_never_stored_is_not_found(blobs: &impl Blobs) {
    is_missing(blobs, &key()).await;
}

async fn what_is_deleted_is_gone(blobs: &impl Blobs) {
    let (deleted, kept) = (key(), key());
    for key in [&deleted, &kept] {
        put(blobs, key, b"bytes").await;
    }
    for _ in 0..2 {
        blobs.delete(&deleted).await.unwrap();
        is_missing(blobs, &deleted).await;
    }
    assert_eq!(get(blobs, &kept, None).await, b"bytes");
}

async fn nothing_is_seen_before_it_is_finished(blobs: &impl Blobs) {
    for size in [10, 2 * PART] {
        let key = key();
        let mut writer = blobs.create(&key).await.unwrap();
        writer.write(bytes(size)).await.unwrap();
        is_missing(blobs, &key).await;
        writer.finish().await.unwrap();
        assert_eq!(get(blobs, &key, None).await.len(), size);
    }
}

async fn a_dropped_writer_leaves_nothing(blobs: &impl Blobs) {
    for size in [0, 10, 2 * PART + 1] {
        let key = key();
        let mut writer = blobs.create(&key).await.unwrap();
        writer.write(bytes(size)).await.unwrap();
        drop(writer);
        is_missing(blobs, &key).await;
    }
}

async fn writers_do_not_meet(blobs: &impl Blobs) {
    let (one, other) = (key(), key());
    let mut first = blobs.create(&one).await.unwrap();
    let mut second = blobs.create(&other).await.unwrap();
    for _ in 0..7 {
        first.write(vec![1; 1 << 20]).await.unwrap();
        second.write(vec![2; 1 << 20]).await.unwrap();
    }
    let (first, second) = futures_util::join!(first.finish(), second.finish());
    assert_ne!(first.unwrap().sha256, second.unwrap().sha256);
    assert!(get(blobs, &one, None).await == vec![1; 7 << 20]);
    assert!(get(blobs, &other, None).await == vec![2; 7 << 20]);
}
