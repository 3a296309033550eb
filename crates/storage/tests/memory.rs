//! Streaming holds a few parts in memory, however large the object is. Alone in its process,
//! so that nothing else grows it.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "looks at what the system says")]

use std::{error, fs, time::Instant};

use archesai_conformance::servers::told;
use archesai_content::ports::{BlobReader, BlobWriter, Blobs as _};
use archesai_storage::{Blobs, S3Settings};

type Test = Result<(), Box<dyn error::Error>>;

const MIB: u64 = 1 << 20;

/// A line of proc(5)'s status of this process, in MiB: `VmRSS` is the resident memory now,
/// `VmHWM` the most it has been.
fn memory(line: &str) -> Result<u64, Box<dyn error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|l| l.strip_prefix(line));
    let kib = found.and_then(|rest| rest.split_whitespace().nth(1));
    Ok(kib.ok_or("no such line")?.parse::<u64>()? / 1024)
}

/// Writes and reads so many MiB.
async fn stream(blobs: &Blobs, size: u64) -> Test {
    let started = Instant::now();
    let mut writer = blobs.create("large").await?;
    for chunk in 0..size * 16 {
        writer.write(vec![chunk.to_le_bytes()[0]; 64 << 10]).await?;
    }
    assert_eq!(writer.finish().await?.size, size * MIB);
    let written = started.elapsed();

    let mut reader = blobs.open("large", None).await?;
    let mut read = 0;
    while let Some(chunk) = reader.next().await? {
        read += chunk.len() as u64;
    }
    assert_eq!(read, size * MIB);
    blobs.delete("large").await?;
    eprintln!(
        "{size} MiB: written in {written:?}, written and read in {:?}",
        started.elapsed()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streaming_100_mib_takes_less_than_32_mib() -> Test {
    // `ARCHESAI_TEST_MIB` is for measuring by hand with more.
    let size = std::env::var("ARCHESAI_TEST_MIB").map_or(Ok(100), |mib| mib.parse::<u64>())?;
    let folder = tempfile::tempdir()?;
    let bucket = S3Settings {
        endpoint: Some(told("ARCHESAI_TEST_S3_ENDPOINT")),
        ..S3Settings::new(
            format!(
                "s3://{}/tests/memory-{}",
                told("ARCHESAI_TEST_S3_BUCKET"),
                std::process::id()
            ),
            told("ARCHESAI_TEST_S3_ACCESS_KEY"),
            told("ARCHESAI_TEST_S3_SECRET_KEY"),
        )
    };
    for blobs in [Blobs::on_disk(folder.path()).await?, Blobs::on_s3(&bucket)?] {
        // Certificates and connections are there once, however much is streamed.
        blobs.check().await?;
        let before = memory("VmRSS")?;
        stream(&blobs, size).await?;
        let grown = memory("VmHWM")? - before;
        eprintln!("{blobs:?} grew by {grown} MiB");
        assert!(grown < 32, "{blobs:?} grew by {grown} MiB");
    }
    Ok(())
}
