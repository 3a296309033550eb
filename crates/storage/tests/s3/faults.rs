//! A server that is gone, silent or slow: every call answers within five seconds, what only takes
//! its time is not cut off, and all goes on by itself once the server is back.

use std::time::{Duration, Instant};

use archesai_conformance::fault_proxy::{Fault, FaultProxy};
use archesai_content::ports::{BlobReader as _, BlobWriter as _, Blobs as _};
use archesai_storage::Blobs;

use crate::scratch::{at, drain, put, server};

const LIMIT: Duration = Duration::from_secs(5);

const MIB: usize = 1 << 20;

/// The bucket behind a proxy.
async fn distant() -> (FaultProxy, Blobs) {
    let proxy = FaultProxy::start(server()).await;
    let blobs = Blobs::on_s3(&at(proxy.address())).unwrap();
    (proxy, blobs)
}

/// What a call answers, in time.
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let answer = call.await;
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    answer
}

/// Every kind of call fails, in time.
async fn nothing_works(blobs: &Blobs) {
    in_time(blobs.check()).await.unwrap_err();
    in_time(put(blobs, "small", 1)).await.unwrap_err();
    in_time(put(blobs, "large", 11)).await.unwrap_err();
    in_time(blobs.open("kept", None)).await.unwrap_err();
    in_time(blobs.open("kept", Some(1..2))).await.unwrap_err();
    in_time(blobs.delete("kept")).await.unwrap_err();
}

/// Every kind of call succeeds, at the first try.
async fn all_works(blobs: &Blobs) {
    blobs.check().await.unwrap();
    for (key, mib) in [("small", 1), ("large", 11)] {
        put(blobs, key, mib).await.unwrap();
        let reader = blobs.open(key, None).await.unwrap();
        assert_eq!(drain(reader).await.unwrap(), mib * MIB);
        blobs.delete(key).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_told_in_time_and_used_again() {
    let (proxy, blobs) = distant().await;
    for _ in 0..2 {
        put(&blobs, "kept", 1).await.unwrap();
        proxy.set(Fault::Refuse).await;
        nothing_works(&blobs).await;
        proxy.set(Fault::None).await;
        all_works(&blobs).await;
    }
    blobs.delete("kept").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_given_up_in_time_and_used_again() {
    let (proxy, blobs) = distant().await;
    put(&blobs, "kept", 1).await.unwrap();
    proxy.set(Fault::BlackHole).await;
    nothing_works(&blobs).await;
    proxy.set(Fault::None).await;
    all_works(&blobs).await;
    blobs.delete("kept").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_gets_stuck_fails_in_time() {
    let (proxy, blobs) = distant().await;
    for fault in [Fault::BlackHole, Fault::Refuse] {
        let mut writer = blobs.create("stuck").await.unwrap();
        for _ in 0..11 {
            writer.write(vec![1; MIB]).await.unwrap();
        }
        proxy.set(fault).await;
        let mut failed = false;
        for _ in 0..40 {
            failed = in_time(writer.write(vec![2; MIB])).await.is_err();
            if failed {
                break;
            }
        }
        assert!(failed);
        in_time(writer.finish()).await.unwrap_err();
        proxy.set(Fault::None).await;
        blobs.open("stuck", None).await.unwrap_err();
        all_works(&blobs).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_gets_stuck_fails_in_time() {
    let (proxy, blobs) = distant().await;
    put(&blobs, "kept", 48).await.unwrap();
    for fault in [Fault::BlackHole, Fault::Refuse] {
        let mut reader = blobs.open("kept", None).await.unwrap();
        let mut size = reader.next().await.unwrap().unwrap().len();
        proxy.set(fault).await;
        loop {
            match in_time(reader.next()).await {
                Ok(Some(chunk)) => size += chunk.len(),
                Ok(None) => panic!("{size} bytes are not all there are"),
                Err(_) => break,
            }
        }
        proxy.set(Fault::None).await;
        let reader = blobs.open("kept", None).await.unwrap();
        assert_eq!(drain(reader).await.unwrap(), 48 * MIB);
    }
    blobs.delete("kept").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_takes_the_time_that_it_takes() {
    let (proxy, blobs) = distant().await;
    proxy
        .set(Fault::Slow {
            latency: Duration::from_millis(1),
            bytes_per_second: 4_000_000,
        })
        .await;
    let begun = Instant::now();
    put(&blobs, "slow", 30).await.unwrap();
    let reader = blobs.open("slow", None).await.unwrap();
    assert_eq!(drain(reader).await.unwrap(), 30 * MIB);
    // Longer than anything may be silent for.
    assert!(begun.elapsed() > 2 * LIMIT, "{:?}", begun.elapsed());
    proxy.set(Fault::None).await;
    blobs.delete("slow").await.unwrap();
}
