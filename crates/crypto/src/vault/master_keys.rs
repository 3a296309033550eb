//! Key-encryption keys, which come from outside the database and wrap data keys.

use archesai_platform::{Error, Result, data_keys::DataKey};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    VaultError,
    cipher::{Cipher, KEY_LENGTH},
};
use crate::system::random;

/// What a wrapped key is for, so that it can be nothing else.
const CONTEXT: &[u8] = b"archesai data key";

/// A key-encryption key.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; KEY_LENGTH]);

/// Tells the master keys that are good at the moment: the first one wraps, and each opens.
pub type MasterKeys = Box<dyn Fn() -> Result<Vec<MasterKey>> + Send + Sync>;

impl MasterKey {
    /// Makes one.
    pub fn generate() -> Self {
        Self(random())
    }

    /// Reads 32 bytes in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.trim()).ok()?;
        key.try_into().ok().map(Self)
    }

    /// The key as text, to be kept where nobody else can read it.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

/// Wraps a data key under the first of the master keys.
pub(super) fn wrap(masters: &[MasterKey], id: u32, key: &[u8; KEY_LENGTH]) -> Result<Vec<u8>> {
    let first = masters.first();
    let first = first.ok_or_else(|| Error::unavailable("there is no master key"))?;
    Cipher::new(&first.0).seal(&context(id), key)
}

/// Unwraps a data key under whichever of the master keys opens it.
pub(super) fn unwrap(masters: &[MasterKey], key: &DataKey) -> Result<[u8; KEY_LENGTH], VaultError> {
    let open = |master: &MasterKey| Cipher::new(&master.0).open(&context(key.id), &key.wrapped);
    let plain = masters.iter().find_map(open);
    plain
        .and_then(|plain| plain.try_into().ok())
        .ok_or(VaultError::WrongMasterKey { data_key: key.id })
}

fn context(id: u32) -> Vec<u8> {
    [CONTEXT, &id.to_be_bytes()].concat()
}
