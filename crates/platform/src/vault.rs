//! Encryption at rest, under the key-encryption key.

use crate::Result;

/// Seals what must not be readable from the database alone (authenticated encryption).
pub trait Vault: Send + Sync + 'static {
    /// Encrypts. What was sealed opens only with the same `context`, so that it
    /// cannot be moved to another place unnoticed.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>>;

    /// A digest that nobody can make or check without the key: of what could be
    /// guessed from a plain one, such as a password.
    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]>;

    /// Decrypts what [`seal`](Self::seal) made. Fails if a bit of it or of the context is different.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>>;
}
