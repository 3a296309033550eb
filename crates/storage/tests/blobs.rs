//! The suite of the port, on the disk and in memory, and what is the disk's own affair.

#![expect(clippy::disallowed_methods, reason = "looks at the files themselves")]

use std::{error, fs, path::Path, path::PathBuf, sync::Arc, time::SystemTime};

use archesai_conformance::blobs::suite;
use archesai_content::{
    Error, Result,
    ports::{BlobReader, BlobWriter, Blobs as _, Stored},
};
use archesai_storage::{Blobs, Reader, Writer};
use object_store::memory::InMemory;
use tempfile::TempDir;

type Test = std::result::Result<(), Box<dyn error::Error>>;

/// A store in a folder that goes away with the test.
async fn on_disk() -> std::result::Result<(TempDir, Blobs), Box<dyn error::Error>> {
    let folder = tempfile::tempdir()?;
    let blobs = Blobs::on_disk(folder.path().join("files")).await?;
    Ok((folder, blobs))
}

/// Bytes in which no two places look alike.
fn bytes(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect()
}

async fn put(blobs: &Blobs, key: &str, data: &[u8]) -> Result<Stored> {
    let mut writer = blobs.create(key).await?;
    for chunk in data.chunks(300_000) {
        writer.write(chunk.to_vec()).await?;
    }
    writer.finish().await
}

async fn read(mut reader: Reader) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.next().await? {
        assert!(!chunk.is_empty(), "a chunk is never empty");
        all.extend(chunk);
    }
    Ok(all)
}

/// Why the store is said to be unavailable.
fn reason<T>(answer: Result<T>) -> String {
    match answer {
        Err(Error::Unavailable(cause)) => cause.to_string(),
        Err(error) => format!("another error: {error}"),
        Ok(_) => "no error".to_owned(),
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn the_disk_keeps_the_promises() -> Test {
    let (_folder, blobs) = on_disk().await?;
    suite(&blobs).await;
    Ok(())
}

#[tokio::test]
async fn any_other_store_keeps_the_promises() {
    suite(&Blobs::over(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn ranges_and_keys_that_cannot_be_say_why() -> Test {
    let (_folder, blobs) = on_disk().await?;
    put(&blobs, "org/ten", &bytes(10)).await?;
    for empty in [5..5, 10..10] {
        let reader = blobs.open("org/ten", Some(empty)).await?;
        assert_eq!(read(reader).await?, b"");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
    for range in [11..12, 8..11, 5..4] {
        let reason = reason(blobs.open("org/ten", Some(range.clone())).await);
        assert!(reason.contains("outside an object"), "{range:?}: {reason}");
    }
    for refused in [
        reason(blobs.create("../x").await),
        reason(blobs.open("a#1", None).await),
        reason(blobs.delete("/x").await),
    ] {
        assert!(refused.contains("is no object key"), "{refused}");
    }
    blobs.check().await?;
    Ok(())
}

#[tokio::test]
async fn an_abandoned_writer_leaves_no_file() -> Test {
    let (folder, blobs) = on_disk().await?;
    let mut writer = blobs.create("org/never").await?;
    writer.write(bytes(Writer::PART * 4 + 1)).await?;
    assert_eq!(files(folder.path())?.len(), 1, "the upload has begun");
    drop(writer);
    // The clean-up is another task's; the test's own time limit ends a wait in vain.
    while !files(folder.path())?.is_empty() {
        tokio::task::yield_now().await;
    }
    let answer = blobs.open("org/never", None).await;
    assert!(matches!(answer, Err(Error::NotFound)), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_sweep_removes_what_a_killed_process_left() -> Test {
    let (folder, blobs) = on_disk().await?;
    put(&blobs, "org/kept", b"kept").await?;
    let left = folder.path().join("files/org/lost#1");
    fs::write(&left, b"half")?;
    assert_eq!(blobs.sweep(SystemTime::UNIX_EPOCH).await?, 0, "too young");
    let later = fs::metadata(&left)?.modified()? + std::time::Duration::from_secs(1);
    assert_eq!(blobs.sweep(later).await?, 1);
    assert_eq!(read(blobs.open("org/kept", None).await?).await?, b"kept");
    assert_eq!(files(folder.path())?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_writer_that_failed_does_not_finish() -> Test {
    let (folder, blobs) = on_disk().await?;
    // The first part has nowhere to go: a file stands where a folder must be.
    fs::write(folder.path().join("files/org"), b"in the way")?;
    let mut writer = blobs.create("org/object").await?;
    let failed = writer.write(bytes(Writer::PART)).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    for reason in [
        reason(writer.write(vec![1]).await),
        reason(writer.finish().await),
    ] {
        assert!(reason.contains("an earlier write failed"), "{reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_whose_folder_is_gone_says_so() -> Test {
    let (folder, blobs) = on_disk().await?;
    fs::remove_dir_all(folder.path().join("files"))?;
    assert!(blobs.check().await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_object_cut_short_is_an_error_and_not_an_end() -> Test {
    let (folder, blobs) = on_disk().await?;
    put(&blobs, "org/cut", &bytes(1_000_000)).await?;
    let mut reader = blobs.open("org/cut", None).await?;
    fs::OpenOptions::new()
        .write(true)
        .open(folder.path().join("files/org/cut"))?
        .set_len(10)?;
    assert!(reader.next().await?.is_some());
    let answer = reader.next().await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert!(reader.next().await?.is_none());
    Ok(())
}
