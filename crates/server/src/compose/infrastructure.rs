//! The back ends that the configuration names, each behind the ports it implements.
//! Nothing else knows which they are.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use archesai_crypto::{AesVault, MASTER_KEY_LENGTH, System, master_key};
use archesai_http::erased::AnyRateLimiter;
use archesai_memory::MemoryLimiter;
use archesai_platform::{system::Clock, vault::Vault};
use archesai_storage::{Blobs, FolderLock};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    compose::{bus::Bus, caches::Caches, database::Database},
    config::Config,
    erased::content,
};

/// How old unfinished files must be before another process takes them for left behind.
const ABANDONED: Duration = Duration::from_hours(24);

/// The back ends, open.
pub struct Infrastructure {
    /// What keeps other processes out of the data folder, if the database is in it.
    _folder: Option<FolderLock>,
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) caches: Caches,
    blobs: Blobs,
    limiter: MemoryLimiter,
    /// Encryption at rest.
    pub(crate) vault: Arc<dyn Vault>,
    /// The clock and identifiers.
    pub(crate) system: Arc<System>,
}

impl Infrastructure {
    /// Opens the back ends.
    ///
    /// # Errors
    ///
    /// If the data folder cannot be written, or a back end is not as it must be.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = match config.database_url {
            Some(_) => None,
            None => Some(take_folder(config)?),
        };
        let vault = AesVault::new(&find_master_key(config)?);
        let blobs = open_blobs(config, folder.is_some()).await?;
        let database = Database::open(config).await?;
        Ok(Self {
            _folder: folder,
            bus: Bus::open(config, &database)?,
            database,
            caches: Caches::new(config),
            blobs,
            limiter: MemoryLimiter::default(),
            vault: Arc::new(vault),
            system: Arc::new(System),
        })
    }

    /// Asks each of them whether it answers.
    pub(crate) async fn check(&self) -> Vec<(&'static str, bool)> {
        vec![("database", self.database.check().await.is_ok())]
    }

    pub(crate) fn limiter(&self) -> AnyRateLimiter {
        AnyRateLimiter::new(self.limiter.clone())
    }

    pub(crate) fn blobs(&self) -> content::AnyBlobs {
        content::AnyBlobs::new(self.blobs.clone())
    }
}

/// Makes sure that no other process uses the data folder.
fn take_folder(config: &Config) -> anyhow::Result<FolderLock> {
    let folder = config.data_dir.display();
    let lock = archesai_storage::take_folder(&config.data_dir).with_context(|| {
        format!("the data folder {folder} cannot be made; set data_dir to one that can")
    })?;
    lock.with_context(|| {
        format!("another archesai uses the data folder {folder}; stop it, or set data_dir")
    })
}

/// Opens the store of bytes. If the folder is ours alone, what is not finished now will never be.
async fn open_blobs(config: &Config, is_ours: bool) -> anyhow::Result<Blobs> {
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

/// The master key: as configured, or as kept in the data folder, made at the first start.
fn find_master_key(config: &Config) -> anyhow::Result<[u8; MASTER_KEY_LENGTH]> {
    let text = if let Some(text) = &config.master_key {
        text.clone()
    } else {
        let path = config.data_dir.join("keys/master.key");
        archesai_storage::read_or_keep_secret(&path, || STANDARD.encode(master_key()))
            .with_context(|| format!("the key file {} cannot be kept", path.display()))?
    };
    let key = STANDARD.decode(text.trim()).ok();
    key.and_then(|key| key.try_into().ok())
        .context("master_key must be 32 bytes in base64; make one with `openssl rand -base64 32`")
}
