//! Encryption at rest by AES-256-GCM (NIST SP 800-38D) under a master key.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use archesai_platform::{Error, Result, vault::Vault};
use hkdf::Hkdf;
use rand::Rng;
use sha2::Sha256;

/// Bytes of a master key.
pub const MASTER_KEY_LENGTH: usize = 32;

/// Bytes of a nonce, which precede what they were used for.
const NONCE_LENGTH: usize = 12;

/// The format of what is sealed, so that another may follow.
const FORMAT: u8 = 1;

/// Seals under one master key.
pub struct AesVault {
    cipher: Aes256Gcm,
    /// Derives what is not a cipher's key (HKDF-SHA256, RFC 5869).
    derivation: Hkdf<Sha256>,
}

/// Makes a master key.
#[expect(
    clippy::disallowed_methods,
    reason = "secrets are the business of this crate"
)]
pub fn master_key() -> [u8; MASTER_KEY_LENGTH] {
    let mut key = [0; MASTER_KEY_LENGTH];
    rand::rng().fill_bytes(&mut key);
    key
}

impl AesVault {
    /// A vault under a master key.
    pub fn new(master_key: &[u8; MASTER_KEY_LENGTH]) -> Self {
        Self {
            cipher: Aes256Gcm::new(master_key.into()),
            derivation: Hkdf::new(None, master_key),
        }
    }
}

impl Vault for AesVault {
    #[expect(
        clippy::disallowed_methods,
        reason = "secrets are the business of this crate"
    )]
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LENGTH];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::unavailable("sealing failed"))?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]> {
        let mut mac = [0; 32];
        self.derivation
            .expand_multi_info(&[b"mac", context, bytes], &mut mac)
            .map_err(|_| Error::unavailable("deriving failed"))?;
        Ok(mac)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let fail = || Error::unavailable("what was sealed does not open under this master key");
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(fail)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or_else(fail)?;
        let payload = Payload {
            msg: sealed,
            aad: context,
        };
        self.cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| fail())
    }
}

#[cfg(test)]
mod tests {
    use archesai_platform::vault::Vault;

    use super::{AesVault, master_key};

    #[test]
    fn what_was_sealed_opens_only_as_it_was() {
        let vault = AesVault::new(&master_key());
        let sealed = vault.seal(b"here", b"secret").unwrap();
        assert_eq!(vault.open(b"here", &sealed).unwrap(), b"secret");
        assert!(vault.open(b"there", &sealed).is_err());
        assert!(AesVault::new(&master_key()).open(b"here", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open(b"here", &changed).is_err(), "byte {at}");
        }
        assert!(vault.open(b"here", &[]).is_err());
    }

    #[test]
    fn a_mac_takes_the_key_the_place_and_the_bytes() {
        let vault = AesVault::new(&master_key());
        let mac = vault.mac(b"here", b"guess").unwrap();
        assert_eq!(vault.mac(b"here", b"guess").unwrap(), mac);
        assert_ne!(vault.mac(b"here", b"other").unwrap(), mac);
        assert_ne!(vault.mac(b"ther", b"guess").unwrap(), mac);
        let other = AesVault::new(&master_key());
        assert_ne!(other.mac(b"here", b"guess").unwrap(), mac);
    }
}
