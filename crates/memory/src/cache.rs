//! A cache within the process: one for every kind of value.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

use crate::Freshness;

/// Remembers values by key, up to a number of entries, each for its own time.
#[derive(Clone, Debug)]
pub struct MemoryCache<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> {
    values: Cache<K, (V, Duration)>,
    freshness: Freshness,
}

struct OwnTime;

impl<K, V> Expiry<K, (V, Duration)> for OwnTime {
    fn expire_after_create(&self, _: &K, value: &(V, Duration), _: Instant) -> Option<Duration> {
        Some(value.1)
    }

    fn expire_after_update(
        &self,
        _: &K,
        value: &(V, Duration),
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(value.1)
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> MemoryCache<K, V> {
    /// A cache of at most `capacity` entries, which knows nothing while it is not fresh.
    pub fn new(capacity: u64, freshness: Freshness) -> Self {
        let builder = Cache::builder().max_capacity(capacity);
        Self {
            values: builder.expire_after(OwnTime).build(),
            freshness,
        }
    }
}

/// Implements the port of a domain: the domains share no types.
macro_rules! cache {
    ($($domain:ident),*) => {$(
        impl<K, V> $domain::Cache<K, V> for MemoryCache<K, V>
        where
            K: Hash + Eq + Clone + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            async fn get(&self, key: &K) -> Result<Option<V>, $domain::CacheError> {
                if !self.freshness.holds() {
                    return Ok(None);
                }
                Ok(self.values.get(key).await.map(|(value, _)| value))
            }

            async fn put(
                &self,
                key: &K,
                value: &V,
                ttl: Duration,
            ) -> Result<(), $domain::CacheError> {
                self.values.insert(key.clone(), (value.clone(), ttl)).await;
                Ok(())
            }

            async fn remove(&self, key: &K) -> Result<(), $domain::CacheError> {
                self.values.invalidate(key).await;
                Ok(())
            }
        }
    )*};
}
cache!(
    archesai_auth,
    archesai_organizations,
    archesai_workflows,
    archesai_content
);
