//! The back ends that the configuration names, each behind the ports it implements.
//! Nothing else knows which they are.

use std::sync::Arc;

use anyhow::Context;
use archesai_crypto::System;
use archesai_http::{Check, erased::AnyRateLimiter};
use archesai_memory::MemoryLimiter;
use archesai_platform::{system::Ids, vault::Vault};
use archesai_redis::Redis;
use archesai_storage::{Blobs, FolderLock};

use crate::{
    compose::{blobs, bus::Bus, caches::Caches, database::Database, keys::MasterKeyring},
    config::Config,
    erased::content,
};

/// The back ends, open.
pub struct Infrastructure {
    /// What keeps other processes out of the data folder, if the database is in it.
    _folder: Option<FolderLock>,
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) caches: Caches,
    redis: Option<Redis>,
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
        let roots = root_certificates(config)?;
        let folder = take_folder(config)?;
        let keyring = MasterKeyring::find(config)?;
        let blobs = blobs::open(config, roots.as_ref(), folder.is_some()).await?;
        let database = Database::open(config, roots.as_ref()).await?;
        let vault = keyring.open_vault(database.data_keys()).await?;
        let redis = connect_redis(config, roots.as_ref()).await?;
        Ok(Self {
            _folder: folder,
            bus: Bus::open(config, roots.as_ref(), &database, redis.as_ref()).await?,
            database,
            caches: Caches::new(config, redis.as_ref())?,
            redis,
            blobs,
            limiter: MemoryLimiter::default(),
            vault,
            system: Arc::new(System),
        })
    }

    /// Asks each of them whether it answers.
    pub(crate) async fn check(&self) -> Vec<Check> {
        let needed = |name, answers: bool| Check::needed(name, (!answers).then_some("unavailable"));
        let mut found = vec![needed("database", self.database.check().await.is_ok())];
        for (number, fault) in (1..).zip(self.database.replicas()) {
            found.push(Check {
                name: format!("database replica {number}"),
                fault: fault.map(|fault| format!("passed over, {fault}")),
                is_needed: false,
            });
        }
        if self.blobs.root().is_none() {
            found.push(needed("storage", self.blobs.check().await.is_ok()));
        }
        found
    }

    pub(crate) fn limiter(&self) -> AnyRateLimiter {
        match &self.redis {
            Some(redis) => AnyRateLimiter::new(redis.limiter()),
            None => AnyRateLimiter::new(self.limiter.clone()),
        }
    }

    pub(crate) fn blobs(&self) -> content::AnyBlobs {
        content::AnyBlobs::new(self.blobs.clone())
    }
}

/// Brings the tables up to date, and checks that the server can use them.
///
/// # Errors
///
/// If the database does not answer, or is not as it must be.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.database_url.is_none() || config.database_owner_url.is_some(),
        "set database_owner_url to the URL of the owner of the tables, who alone can change them"
    );
    let _folder = take_folder(config)?;
    let roots = root_certificates(config)?;
    Database::open(config, roots.as_ref()).await.map(drop)
}

/// Opens the database beside servers that may be running on it.
///
/// # Errors
///
/// If there is none, or it cannot be used.
pub(crate) async fn open_database(config: &Config) -> anyhow::Result<Database> {
    if config.database_url.is_none() {
        let path = config.data_dir.join("archesai.db");
        anyhow::ensure!(
            archesai_storage::exists(&path),
            "there is no database {}; set data_dir to the folder that it is in",
            path.display()
        );
    }
    let roots = root_certificates(config)?;
    Database::open(config, roots.as_ref()).await
}

/// Makes sure that no other process uses the data folder, if the database is in it.
fn take_folder(config: &Config) -> anyhow::Result<Option<FolderLock>> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let folder = config.data_dir.display();
    let lock = archesai_storage::take_folder(&config.data_dir).with_context(|| {
        format!("the data folder {folder} cannot be made; set data_dir to one that can")
    })?;
    let lock = lock.with_context(|| {
        format!("another archesai uses the data folder {folder}; stop it, or set data_dir")
    });
    lock.map(Some)
}

/// Connects to Redis, if there is to be one. It may be gone: nothing depends on it.
async fn connect_redis(config: &Config, roots: Option<&String>) -> anyhow::Result<Option<Redis>> {
    let Some(url) = &config.redis_url else {
        return Ok(None);
    };
    let settings = archesai_redis::Settings {
        prefix: config.namespace.clone(),
        root_certificates: roots.cloned(),
        ..archesai_redis::Settings::new(url, System.next())
    };
    let redis = Redis::connect(settings).await;
    redis.context("redis_url is not usable").map(Some)
}

/// The certificates that vouch for back ends, in place of those this machine trusts.
fn root_certificates(config: &Config) -> anyhow::Result<Option<String>> {
    let Some(path) = &config.root_certificates else {
        return Ok(None);
    };
    let text = archesai_storage::read_text(path);
    let text = text.with_context(|| format!("root_certificates {} cannot be read", path.display()));
    text.map(Some)
}
