//! The keys that seal, each wrapped under the key-encryption key (envelope encryption).

use std::time::SystemTime;

use crate::Result;

/// A key that seals, wrapped: to whoever has the database alone it is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    /// Its number: 1 is the first, and each that follows has one more. What is sealed names it.
    pub id: u32,
    /// The key, encrypted under the key-encryption key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: SystemTime,
}

/// Keeps the data keys of a system. None is ever taken away: what is sealed under it would be lost.
pub trait DataKeys: Send + Sync + 'static {
    /// Every key, by its number.
    fn list(&self) -> impl Future<Output = Result<Vec<DataKey>>> + Send;

    /// Wraps keys that were listed anew, as `then` says, and adds those of `then` that are new: all
    /// of it takes effect, or nothing. Answers `false` and changes nothing if there are other keys
    /// than those `listed`, or they are wrapped in another way, since somebody else was faster.
    fn change(
        &self,
        listed: &[DataKey],
        then: &[DataKey],
    ) -> impl Future<Output = Result<bool>> + Send;
}
