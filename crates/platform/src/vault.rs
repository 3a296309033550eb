//! Encryption at rest.

use std::pin::Pin;

use crate::Result;

/// What opening comes to, behind a pointer so that vaults can be too.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send + 'a>>;

/// Seals what must not be readable from the database alone (authenticated encryption).
pub trait Vault: Send + Sync + 'static {
    /// Encrypts. What was sealed opens only with the same `context`, so that it
    /// cannot be moved to another place unnoticed.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>>;

    /// A digest that nobody can make or check without the key: of what could be
    /// guessed from a plain one, such as a password. It stays the same whichever keys
    /// follow.
    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]>;

    /// Decrypts what [`seal`](Self::seal) made, on whichever node and under whichever key. Fails
    /// if a bit of it or of the context is different.
    fn open<'a>(&'a self, context: &'a [u8], sealed: &'a [u8]) -> Opening<'a>;
}
