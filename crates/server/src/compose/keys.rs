//! The keys: where the master key comes from, the vault under it, and how they are changed.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use archesai_crypto::{AesVault, MasterKey, VaultError};
use archesai_platform::Error;
use archesai_storage::FolderLock;

use crate::{
    compose::{auth, infrastructure::open_database},
    config::Config,
    erased::platform::AnyDataKeys,
};

/// How often a node looks for data keys that others made.
const REFRESH: Duration = Duration::from_secs(5);

/// The vault of a system.
pub(super) type SystemVault = AesVault<AnyDataKeys>;

/// Where master keys come from.
#[derive(Clone)]
pub(super) struct MasterKeyring {
    /// The one that is set. Where none is, a file keeps it.
    configured: Option<MasterKey>,
    file: PathBuf,
    /// What data keys may still be wrapped under.
    previous: Vec<MasterKey>,
}

impl MasterKeyring {
    /// Reads what is set, and where no key is, what is kept; the first start makes that.
    pub(super) fn find(config: &Config) -> anyhow::Result<Self> {
        let configured = config.master_key.as_ref();
        let previous = config.previous_master_keys.iter();
        let keyring = Self {
            configured: configured
                .map(|text| parse(text, "master_key"))
                .transpose()?,
            file: config.data_dir.join("keys/master.key"),
            previous: previous
                .map(|text| parse(text, "each of previous_master_keys"))
                .collect::<anyhow::Result<_>>()?,
        };
        if keyring.configured.is_none() {
            keep_new(&keyring.file)?;
        }
        keyring.read()?;
        Ok(keyring)
    }

    /// The master keys: the one that wraps, and those that open too.
    fn read(&self) -> anyhow::Result<Vec<MasterKey>> {
        let mut keys = match &self.configured {
            Some(key) => vec![key.clone()],
            None => self.kept()?,
        };
        keys.extend_from_slice(&self.previous);
        Ok(keys)
    }

    /// What is kept in the data folder: in the middle of a rotation these are two. Looked at in this
    /// order, the one that takes the place of the other is not missed.
    fn kept(&self) -> anyhow::Result<Vec<MasterKey>> {
        let mut kept = Vec::new();
        for path in [self.next(), self.file.clone()] {
            let place = format!("the key file {}", path.display());
            let text = archesai_storage::read_secret(&path);
            if let Some(text) = text.with_context(|| format!("{place} cannot be read"))? {
                kept.push(parse(&text, &place)?);
            }
        }
        Ok(kept)
    }

    /// Where the key lies that is to take the place of the one that is kept.
    fn next(&self) -> PathBuf {
        self.file.with_extension("key.next")
    }

    /// Opens the vault, which keeps itself current.
    pub(super) async fn open_vault(&self, keys: AnyDataKeys) -> anyhow::Result<Arc<SystemVault>> {
        let keyring = self.clone();
        let masters = move || keyring.read().map_err(Error::unavailable);
        let vault = AesVault::open(keys, Box::new(masters)).await;
        let vault = Arc::new(vault.map_err(|error| self.explain(error))?);
        tokio::spawn(keep_current(Arc::downgrade(&vault)));
        Ok(vault)
    }

    /// What to do about it.
    fn explain(&self, error: VaultError) -> anyhow::Error {
        let VaultError::WrongMasterKey { data_key } = error else {
            return anyhow!(error).context("the data keys cannot be used");
        };
        if self.configured.is_some() {
            return anyhow!(
                "the master key is not the one that data key {data_key} is encrypted under: set master_key \
                 to the one that was used before; to change it, put that one into previous_master_keys, \
                 and run `archesai keys rotate`"
            );
        }
        anyhow!(
            "the key in {} is not the one that data key {data_key} is encrypted under: put the file back that \
             was there before, or set master_key to the key that was used before",
            self.file.display()
        )
    }

    /// Makes the key that is to take the place of the one that is kept, if one is: beside it, so that
    /// both are good until the one has taken the other's place. One that was left there is taken up.
    /// One process at a time does this.
    fn begin(&self) -> anyhow::Result<Option<FolderLock>> {
        if self.configured.is_some() {
            return Ok(None);
        }
        let folder = self.file.parent().context("a file is in a folder")?;
        let lock = archesai_storage::take_folder(folder);
        let lock = lock.with_context(|| format!("{} cannot be written", folder.display()))?;
        let lock = lock.context("another `archesai keys rotate` is at work")?;
        keep_new(&self.next())?;
        Ok(Some(lock))
    }

    /// Lets the new key take the old one's place.
    fn finish(&self) -> anyhow::Result<()> {
        if self.configured.is_some() {
            return Ok(());
        }
        let replaced = archesai_storage::replace_file(&self.file, &self.next());
        replaced.with_context(|| format!("the key file {} cannot be kept", self.file.display()))
    }
}

/// Learns of data keys that others made, as long as somebody uses the vault.
async fn keep_current(vault: Weak<SystemVault>) {
    let mut has_failed = false;
    loop {
        tokio::time::sleep(REFRESH).await;
        let Some(vault) = vault.upgrade() else {
            return;
        };
        let refreshed = vault.refresh().await;
        if let (Err(error), false) = (&refreshed, has_failed) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "data keys that others made cannot be used"
            );
        }
        has_failed = refreshed.is_err();
    }
}

/// What a rotation came to.
#[derive(Debug)]
pub struct Rotated {
    /// The data key that seals from now on.
    pub data_key: u32,
    /// Whether the master key is one that is set, and not one that is kept in the data folder.
    pub is_configured: bool,
}

/// Wraps every data key under the master key, a new one where it is kept in the data folder; makes a
/// new data key, and seals what lasts under it. Servers may run meanwhile, and a rotation that was
/// cut off is completed by the next.
///
/// # Errors
///
/// If a key cannot be read or kept, or the database cannot be used.
pub async fn rotate_keys(config: &Config) -> anyhow::Result<Rotated> {
    let database = open_database(config).await?;
    let keyring = MasterKeyring::find(config)?;
    let _turn = keyring.begin()?;
    let vault = keyring.open_vault(database.data_keys()).await?;
    let rotated = vault.rotate().await;
    let data_key = rotated.map_err(|error| keyring.explain(error))?;
    keyring.finish()?;
    auth::reseal_signing_keys(&database.auth_store(), vault.as_ref())
        .await
        .context("the signing keys cannot be sealed under the new data key")?;
    Ok(Rotated {
        data_key,
        is_configured: keyring.configured.is_some(),
    })
}

/// Keeps a new key in a file, unless there is one.
fn keep_new(path: &Path) -> anyhow::Result<()> {
    let new = || MasterKey::generate().to_base64();
    archesai_storage::read_or_keep_secret(path, new)
        .with_context(|| format!("the key file {} cannot be kept", path.display()))
        .map(drop)
}

fn parse(text: &str, what: &str) -> anyhow::Result<MasterKey> {
    let Some(key) = MasterKey::parse(text) else {
        bail!("{what} must be 32 bytes in base64; make one with `openssl rand -base64 32`");
    };
    Ok(key)
}
