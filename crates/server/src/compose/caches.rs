//! The caches that the configuration names.

use std::hash::Hash;

use anyhow::Context;
use archesai_memory::{Freshness, MemoryCache};
use archesai_redis::Redis;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::{CachePlace, Config},
    erased::{auth, content, organizations},
};

/// Makes caches: in Redis if there is one, or else in the memory of the process.
pub(crate) struct Caches {
    redis: Option<Redis>,
    entries: u64,
    freshness: Freshness,
}

/// A cache of a context, wherever it is.
macro_rules! cache {
    ($self:expr, $any:path, $name:expr) => {
        match &$self.redis {
            Some(redis) => <$any>::new(redis.cache($name)),
            None => <$any>::new(MemoryCache::new($self.entries, $self.freshness())),
        }
    };
}

impl Caches {
    /// # Errors
    ///
    /// If they are to be where there is nothing.
    pub(crate) fn new(config: &Config, redis: Option<&Redis>) -> anyhow::Result<Self> {
        let redis = match config.caches {
            CachePlace::Auto => redis,
            CachePlace::Redis => Some(redis.context("caches = redis needs redis_url")?),
            CachePlace::Memory => None,
        };
        Ok(Self {
            redis: redis.cloned(),
            entries: config.cache_entries,
            freshness: Freshness::default(),
        })
    }

    /// What says until when those in memory may be asked: whoever hears of changes confirms it.
    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness.clone()
    }

    pub(crate) fn of_auth<K: Key, V: Value>(&self, name: &str) -> auth::AnyCache<K, V> {
        cache!(self, auth::AnyCache<K, V>, name)
    }

    pub(crate) fn of_organizations<K: Key, V: Value>(
        &self,
        name: &str,
    ) -> organizations::AnyCache<K, V> {
        cache!(self, organizations::AnyCache<K, V>, name)
    }

    pub(crate) fn of_content<K: Key, V: Value>(&self, name: &str) -> content::AnyCache<K, V> {
        cache!(self, content::AnyCache<K, V>, name)
    }
}

/// What every cache can find things by.
pub(crate) trait Key: Hash + Eq + Clone + Serialize + Send + Sync + 'static {}
impl<T: Hash + Eq + Clone + Serialize + Send + Sync + 'static> Key for T {}

/// What every cache can keep.
pub(crate) trait Value:
    Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
}
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}
