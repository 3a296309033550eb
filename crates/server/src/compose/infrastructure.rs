//! The back ends that the configuration names, each behind the ports it implements.
//! Nothing else knows which they are.

use std::{hash::Hash, sync::Arc, time::SystemTime};

use anyhow::Context;
use archesai_crypto::{AesVault, MASTER_KEY_LENGTH, System, master_key};
use archesai_http::erased::{AnyEventLog, AnyIdempotencyKeys, AnyRateLimiter};
use archesai_memory::{EventBus, MemoryCache, MemoryLimiter, MemoryWakeups};
use archesai_platform::{system::Clock, vault::Vault};
use archesai_sqlite::{Backlog, Connections, Database};
use archesai_storage::{Blobs, FolderLock};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    config::Config,
    erased::{
        auth, content, organizations,
        platform::{AnyPublisher, AnySubscriber, AnyWake},
        workflows,
    },
};

/// The back ends, open.
pub struct Infrastructure {
    /// What keeps other processes out of the data folder.
    _folder: FolderLock,
    database: Database,
    blobs: Blobs,
    bus: EventBus,
    limiter: MemoryLimiter,
    steps: MemoryWakeups,
    indexing: MemoryWakeups,
    cache_entries: u64,
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
    /// If the data folder cannot be written, or the database not opened.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = config.data_dir.display();
        let lock = archesai_storage::take_folder(&config.data_dir).with_context(|| {
            format!("the data folder {folder} cannot be made; set data_dir to one that can")
        })?;
        let lock = lock.with_context(|| {
            format!("another archesai uses the data folder {folder}; stop it, or set data_dir")
        })?;
        let vault = AesVault::new(&find_master_key(config)?);
        let path = config.data_dir.join("archesai.db");
        let files = config.data_dir.join("files");
        let blobs = Blobs::on_disk(&files).await.with_context(|| {
            let files = files.display();
            format!("the folder {files} for files cannot be made; set data_dir to one that can")
        })?;
        // The folder is ours alone: what is not finished now will never be.
        blobs.sweep(System.now()).await?;
        Ok(Self {
            _folder: lock,
            database: Database::open(&path, config.database_readers).await?,
            blobs,
            bus: EventBus::default(),
            limiter: MemoryLimiter::default(),
            steps: MemoryWakeups::default(),
            indexing: MemoryWakeups::default(),
            cache_entries: config.cache_entries,
            vault: Arc::new(vault),
            system: Arc::new(System),
        })
    }

    /// Asks each of them whether it answers.
    pub(crate) async fn check(&self) -> Vec<(&'static str, bool)> {
        vec![("database", self.database.check().await.is_ok())]
    }

    /// How busy the connections to the database are.
    pub(crate) fn connections(&self) -> [Connections; 2] {
        self.database.connections()
    }

    /// How much waits to be done.
    pub(crate) async fn backlog(&self, now: SystemTime) -> archesai_platform::Result<Backlog> {
        self.database.backlog(now).await
    }

    pub(crate) fn auth_store(&self) -> auth::AnyStore {
        auth::AnyStore::new(self.database.store())
    }

    pub(crate) fn organizations_store(&self) -> organizations::AnyStore {
        organizations::AnyStore::new(self.database.store())
    }

    pub(crate) fn content_store(&self) -> content::AnyStore {
        content::AnyStore::new(self.database.store())
    }

    pub(crate) fn workflows_store(&self) -> workflows::AnyStore {
        workflows::AnyStore::new(self.database.store())
    }

    pub(crate) fn event_log(&self) -> AnyEventLog {
        AnyEventLog::new(self.database.store())
    }

    pub(crate) fn idempotency_keys(&self) -> AnyIdempotencyKeys {
        AnyIdempotencyKeys::new(self.database.store())
    }

    pub(crate) fn auth_cache<K: Key, V: Value>(&self) -> auth::AnyCache<K, V> {
        auth::AnyCache::new(MemoryCache::new(self.cache_entries))
    }

    pub(crate) fn organizations_cache<K: Key, V: Value>(&self) -> organizations::AnyCache<K, V> {
        organizations::AnyCache::new(MemoryCache::new(self.cache_entries))
    }

    pub(crate) fn content_cache<K: Key, V: Value>(&self) -> content::AnyCache<K, V> {
        content::AnyCache::new(MemoryCache::new(self.cache_entries))
    }

    pub(crate) fn limiter(&self) -> AnyRateLimiter {
        AnyRateLimiter::new(self.limiter.clone())
    }

    pub(crate) fn publisher(&self) -> AnyPublisher {
        AnyPublisher::new(self.bus.clone())
    }

    pub(crate) fn subscriber(&self) -> AnySubscriber {
        AnySubscriber::new(self.bus.clone())
    }

    /// What wakes those who run steps.
    pub(crate) fn wake_steps(&self) -> Arc<dyn archesai_workflows::ports::Wakeups> {
        Arc::new(self.steps.clone())
    }

    /// What they wait for.
    pub(crate) fn steps_wake(&self) -> AnyWake {
        AnyWake::new(self.steps.clone())
    }

    /// What wakes those who index artifacts.
    pub(crate) fn wake_indexing(&self) -> Arc<dyn archesai_content::ports::Wakeups> {
        Arc::new(self.indexing.clone())
    }

    /// What they wait for.
    pub(crate) fn indexing_wake(&self) -> AnyWake {
        AnyWake::new(self.indexing.clone())
    }

    pub(crate) fn blobs(&self) -> content::AnyBlobs {
        content::AnyBlobs::new(self.blobs.clone())
    }
}

/// What every cache can find things by.
pub(crate) trait Key: Hash + Eq + Clone + Send + Sync + 'static {}
impl<T: Hash + Eq + Clone + Send + Sync + 'static> Key for T {}

/// What every cache can keep.
pub(crate) trait Value: Clone + Send + Sync + 'static {}
impl<T: Clone + Send + Sync + 'static> Value for T {}

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
