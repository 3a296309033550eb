//! Sealing under one key, by AES-256-GCM (NIST SP 800-38D).

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use archesai_platform::{Error, Result};

use crate::system::random;

/// Bytes of a key.
pub(super) const KEY_LENGTH: usize = 32;

/// Bytes of a nonce, which precede what they were used for. They are random, so one key is good for
/// 2^32 things at most.
const NONCE_LENGTH: usize = 12;

/// One key, ready for use.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_LENGTH]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts, for one place.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LENGTH] = random();
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::unavailable("sealing failed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what was sealed under this key for this place.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload {
            msg: sealed,
            aad: context,
        };
        self.0.decrypt(&Nonce::from(*nonce), payload).ok()
    }
}
