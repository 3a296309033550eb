//! What every domain shares: the database, the bus, the vault, the clock.

use std::sync::Arc;

use anyhow::Context;
use archesai_crypto::{AesVault, MASTER_KEY_LENGTH, System, master_key};
use archesai_memory::{EventBus, MemoryLimiter, MemoryWakeups};
use archesai_sqlite::Database;
use archesai_storage::FolderLock;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::config::Config;

/// What every domain shares.
pub struct Infrastructure {
    /// What keeps other processes out of the data folder.
    _folder: FolderLock,
    /// The embedded database.
    pub database: Database,
    /// Published events.
    pub bus: EventBus,
    /// Counts requests.
    pub limiter: MemoryLimiter,
    /// Wakes whoever runs steps.
    pub steps: MemoryWakeups,
    /// Wakes whoever indexes artifacts.
    pub indexing: MemoryWakeups,
    /// Encryption at rest.
    pub vault: Arc<AesVault>,
    /// The clock and identifiers.
    pub system: Arc<System>,
}

impl Infrastructure {
    /// Opens what every domain shares.
    ///
    /// # Errors
    ///
    /// If the data folder cannot be written, or the database not opened.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = archesai_storage::take_folder(&config.data_dir).with_context(|| {
            let folder = config.data_dir.display();
            format!("the data folder {folder} cannot be made; set data_dir to one that can")
        })?;
        let folder = folder.with_context(|| {
            let folder = config.data_dir.display();
            format!("another archesai uses the data folder {folder}; stop it, or set data_dir")
        })?;
        let vault = AesVault::new(&find_master_key(config)?);
        let path = config.data_dir.join("archesai.db");
        Ok(Self {
            _folder: folder,
            database: Database::open(&path, config.database_readers).await?,
            bus: EventBus::default(),
            limiter: MemoryLimiter::default(),
            steps: MemoryWakeups::default(),
            indexing: MemoryWakeups::default(),
            vault: Arc::new(vault),
            system: Arc::new(System),
        })
    }
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
