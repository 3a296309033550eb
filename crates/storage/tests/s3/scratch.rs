//! A part of the bucket that a test has for itself.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
};

use archesai_conformance::servers::told;
use archesai_content::{
    Result,
    ports::{BlobReader as _, BlobWriter as _, Blobs as _},
};
use archesai_storage::{Blobs, Reader, S3Settings};
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, aws::AmazonS3Builder};

/// What is below a prefix that nobody else has.
pub(crate) fn settings() -> S3Settings {
    let random = RandomState::new().build_hasher().finish();
    let bucket = told("ARCHESAI_TEST_S3_BUCKET");
    S3Settings {
        endpoint: Some(told("ARCHESAI_TEST_S3_ENDPOINT")),
        ..S3Settings::new(
            format!("s3://{bucket}/tests/{random:016x}"),
            told("ARCHESAI_TEST_S3_ACCESS_KEY"),
            told("ARCHESAI_TEST_S3_SECRET_KEY"),
        )
    }
}

pub(crate) fn server() -> SocketAddr {
    let endpoint = told("ARCHESAI_TEST_S3_ENDPOINT");
    endpoint.strip_prefix("http://").unwrap().parse().unwrap()
}

/// The same bucket, reached at another address.
pub(crate) fn at(address: impl std::fmt::Display) -> S3Settings {
    S3Settings {
        endpoint: Some(format!("http://{address}")),
        ..settings()
    }
}

/// Stores so many MiB.
pub(crate) async fn put(blobs: &Blobs, key: &str, mib: usize) -> Result<()> {
    let mut writer = blobs.create(key).await?;
    for at in 0..mib {
        writer.write(vec![at.to_le_bytes()[0]; 1 << 20]).await?;
    }
    writer.finish().await.map(drop)
}

/// Reads to the end; answers how many bytes there were.
pub(crate) async fn drain(mut reader: Reader) -> Result<usize> {
    let mut size = 0;
    while let Some(chunk) = reader.next().await? {
        size += chunk.len();
    }
    Ok(size)
}

/// Removes everything below the prefix.
pub(crate) async fn clear(settings: &S3Settings) {
    archesai_tls::install();
    let (bucket, prefix) = settings.url["s3://".len()..].split_once('/').unwrap();
    let bucket = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(settings.endpoint.clone().unwrap())
        .with_allow_http(true)
        .with_access_key_id(&settings.access_key_id)
        .with_secret_access_key(&settings.secret_access_key)
        .build()
        .unwrap();
    let found: Vec<_> = bucket
        .list(Some(&prefix.into()))
        .try_collect()
        .await
        .unwrap();
    for object in found {
        bucket.delete(&object.location).await.unwrap();
    }
}
