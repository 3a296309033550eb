//! Encryption at rest, in envelopes: what is kept is sealed under data keys, which are kept beside it,
//! wrapped under a master key that is not.

mod cipher;
mod master_keys;

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use archesai_platform::{
    Error, Result,
    data_keys::{DataKey, DataKeys},
    vault::{Opening, Vault},
};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::system::{now, random};
use cipher::{Cipher, KEY_LENGTH};
pub use master_keys::{MasterKey, MasterKeys};
use master_keys::{unwrap, wrap};

/// The format of what is sealed, so that another may follow. The number of the data key comes next.
const FORMAT: u8 = 1;

/// The number of the first data key.
const FIRST: u32 = 1;

/// Seals under the newest data key, and opens under each.
pub struct AesVault<K> {
    keys: K,
    masters: MasterKeys,
    /// The data keys that this node knows, by their numbers.
    known: RwLock<BTreeMap<u32, Arc<Cipher>>>,
    /// Derives what is not a cipher's key, from the first data key (HKDF-SHA256, RFC 5869).
    derivation: Hkdf<Sha256>,
}

/// Why a vault cannot be used.
#[derive(Debug)]
pub enum VaultError {
    /// A data key opens under none of the master keys.
    WrongMasterKey {
        /// The number of that data key.
        data_key: u32,
    },
    /// Data or master keys cannot be read.
    Failed(Error),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongMasterKey { data_key } => {
                write!(f, "data key {data_key} opens under no master key")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl StdError for VaultError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::WrongMasterKey { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

impl From<Error> for VaultError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<K: DataKeys> AesVault<K> {
    /// Opens a vault. Where there is no data key yet, this makes the first; of many who do so at
    /// once, all use the same.
    ///
    /// # Errors
    ///
    /// [`VaultError`] if the keys cannot be read, or no master key opens one of them.
    pub async fn open(keys: K, masters: MasterKeys) -> Result<Self, VaultError> {
        let mut listed = keys.list().await?;
        if listed.is_empty() {
            let first = new_key(&masters()?, FIRST)?;
            keys.change(&[], &[first]).await?;
            listed = keys.list().await?;
        }
        let first = listed.first().ok_or(Error::unavailable("no data key"))?;
        let derivation = Hkdf::new(None, &unwrap(&masters()?, first)?);
        let vault = Self {
            keys,
            masters,
            known: RwLock::default(),
            derivation,
        };
        vault.learn(&listed)?;
        Ok(vault)
    }

    /// Learns of data keys that others made. The newest seals from now on.
    ///
    /// # Errors
    ///
    /// [`VaultError`] if they cannot be read, or no master key opens one of them.
    pub async fn refresh(&self) -> Result<(), VaultError> {
        self.learn(&self.keys.list().await?)
    }

    /// Wraps every data key under the first of the master keys, and makes one that seals from now
    /// on: all of it takes effect, or nothing. Answers the number of the new one.
    ///
    /// # Errors
    ///
    /// [`VaultError`] if they cannot be read or written, or no master key opens one of them.
    pub async fn rotate(&self) -> Result<u32, VaultError> {
        loop {
            let listed = self.keys.list().await?;
            let masters = (self.masters)()?;
            let mut then = Vec::with_capacity(listed.len() + 1);
            for key in &listed {
                then.push(DataKey {
                    wrapped: wrap(&masters, key.id, &unwrap(&masters, key)?)?,
                    ..key.clone()
                });
            }
            let next = listed.last().map_or(FIRST, |newest| newest.id + 1);
            then.push(new_key(&masters, next)?);
            // Whoever was faster made one too, which is to be wrapped as well.
            if self.keys.change(&listed, &then).await? {
                self.learn(&then)?;
                return Ok(next);
            }
        }
    }

    fn learn(&self, listed: &[DataKey]) -> Result<(), VaultError> {
        let is_new = |key: &&DataKey| self.cipher(key.id).is_none();
        let new: Vec<_> = listed.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let masters = (self.masters)()?;
        for key in new {
            let cipher = Arc::new(Cipher::new(&unwrap(&masters, key)?));
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.insert(key.id, cipher);
        }
        Ok(())
    }
}

impl<K> AesVault<K> {
    fn cipher(&self, id: u32) -> Option<Arc<Cipher>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).map(Arc::clone)
    }

    fn newest(&self) -> Option<(u32, Arc<Cipher>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (id, cipher) = known.last_key_value()?;
        Some((*id, Arc::clone(cipher)))
    }
}

/// Makes a data key.
fn new_key(masters: &[MasterKey], id: u32) -> Result<DataKey> {
    Ok(DataKey {
        id,
        wrapped: wrap(masters, id, &random::<KEY_LENGTH>())?,
        created_at: now(),
    })
}

impl<K: DataKeys> Vault for AesVault<K> {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let newest = self.newest();
        let (id, cipher) = newest.ok_or_else(|| Error::unavailable("no data key"))?;
        let sealed = cipher.seal(context, plain)?;
        Ok([&[FORMAT], id.to_be_bytes().as_slice(), &sealed].concat())
    }

    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]> {
        let length = context.len().to_be_bytes();
        let mut mac = [0; 32];
        self.derivation
            .expand_multi_info(&[b"mac", &length, context, bytes], &mut mac)
            .map_err(|_| Error::unavailable("deriving failed"))?;
        Ok(mac)
    }

    fn open<'a>(&'a self, context: &'a [u8], sealed: &'a [u8]) -> Opening<'a> {
        Box::pin(async move {
            let fail = || Error::unavailable("what was sealed is damaged, or of another place");
            let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(fail)?;
            let (id, sealed) = rest.split_first_chunk().ok_or_else(fail)?;
            let id = u32::from_be_bytes(*id);
            if self.cipher(id).is_none() {
                self.refresh().await.map_err(Error::unavailable)?;
            }
            let cipher = self.cipher(id).ok_or_else(fail)?;
            cipher.open(context, sealed).ok_or_else(fail)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
