//! The store of bytes that the configuration names.

use std::time::Duration;

use anyhow::Context;
use archesai_crypto::System;
use archesai_platform::system::Clock;
use archesai_storage::{Blobs, S3Settings};

use crate::config::Config;

/// How old unfinished files must be before another process takes them for left behind.
const ABANDONED: Duration = Duration::from_hours(24);

/// Opens the store: a bucket, or else a folder. If the data folder is ours alone, what is not
/// finished in it now will never be.
pub(super) async fn open(
    config: &Config,
    roots: Option<&String>,
    is_ours: bool,
) -> anyhow::Result<Blobs> {
    if let Some(url) = &config.storage_url {
        return open_bucket(config, roots, url).await;
    }
    let files = config.data_dir.join("files");
    let blobs = Blobs::on_disk(&files).await.with_context(|| {
        let files = files.display();
        format!("the folder {files} for files cannot be made; set data_dir to one that can")
    })?;
    let now = System.now();
    let before = if is_ours { now } else { now - ABANDONED };
    blobs.sweep(before).await?;
    Ok(blobs)
}

/// A bucket that cannot be used stops the start; one that does not answer at the moment does not.
async fn open_bucket(config: &Config, roots: Option<&String>, url: &str) -> anyhow::Result<Blobs> {
    let settings = S3Settings {
        endpoint: config.storage_endpoint.clone(),
        region: config.storage_region.clone(),
        root_certificates: roots.cloned(),
        ..S3Settings::new(
            url,
            config.storage_access_key_id.clone(),
            config.storage_secret_access_key.clone().unwrap_or_default(),
        )
    };
    let blobs = Blobs::on_s3(&settings).context("storage_url is not usable")?;
    match blobs.check().await {
        Err(error @ archesai_storage::Error::Unavailable(_)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the storage");
            Ok(blobs)
        }
        checked => checked.context("storage_url is not usable").map(|()| blobs),
    }
}
