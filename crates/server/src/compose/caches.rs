//! The caches that the configuration names.

use std::hash::Hash;

use archesai_memory::{Freshness, MemoryCache};

use crate::{
    config::Config,
    erased::{auth, content, organizations},
};

/// Makes caches.
pub(crate) struct Caches {
    entries: u64,
    freshness: Freshness,
}

impl Caches {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            entries: config.cache_entries,
            freshness: Freshness::default(),
        }
    }

    /// What says until when they may be asked: whoever hears of changes confirms it.
    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness.clone()
    }

    pub(crate) fn of_auth<K: Key, V: Value>(&self) -> auth::AnyCache<K, V> {
        auth::AnyCache::new(self.memory())
    }

    pub(crate) fn of_organizations<K: Key, V: Value>(&self) -> organizations::AnyCache<K, V> {
        organizations::AnyCache::new(self.memory())
    }

    pub(crate) fn of_content<K: Key, V: Value>(&self) -> content::AnyCache<K, V> {
        content::AnyCache::new(self.memory())
    }

    fn memory<K: Key, V: Value>(&self) -> MemoryCache<K, V> {
        MemoryCache::new(self.entries, self.freshness())
    }
}

/// What every cache can find things by.
pub(crate) trait Key: Hash + Eq + Clone + Send + Sync + 'static {}
impl<T: Hash + Eq + Clone + Send + Sync + 'static> Key for T {}

/// What every cache can keep.
pub(crate) trait Value: Clone + Send + Sync + 'static {}
impl<T: Clone + Send + Sync + 'static> Value for T {}
