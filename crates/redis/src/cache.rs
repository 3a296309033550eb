//! Caches that all nodes share.
//!
//! A value is JSON under `<prefix>:cache:<name>:<key>`, for its time. Under a key that is barred
//! there is an empty text: its removal was owed, and what is put meanwhile may be of before.

use std::{marker::PhantomData, time::Duration};

use deadpool_redis::redis::cmd;
use serde::{Serialize, de::DeserializeOwned};

use crate::Redis;

/// Puts a value under a key that is not barred.
const PUT: &str = "\
if redis.call('STRLEN', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Remembers values by key, for all nodes. What a value holds must be no secret: whoever has
/// Redis reads it.
///
/// A `remove` that fails is not lost. Until it has been carried out, this node recalls nothing
/// from any cache, so that nothing removed comes back; other nodes remove what they hear of by
/// themselves. What is owed is remembered by this process alone: after a crash, a value whose
/// removal was owed lives for the rest of its time.
pub struct RedisCache<K, V> {
    redis: Redis,
    prefix: String,
    keeps: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for RedisCache<K, V> {
    fn clone(&self) -> Self {
        Self {
            redis: self.redis.clone(),
            prefix: self.prefix.clone(),
            keeps: PhantomData,
        }
    }
}

/// A removal under way. Unless it is known to have been carried out, it is owed.
struct Removal<'a> {
    redis: &'a Redis,
    key: Option<String>,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.redis.circuit().owe(key);
        }
    }
}

impl<K: Serialize, V: Serialize + DeserializeOwned> RedisCache<K, V> {
    fn key(&self, key: &K) -> Result<String, BoxedError> {
        Ok(format!("{}{}", self.prefix, serde_json::to_string(key)?))
    }

    async fn recall(&self, key: &K) -> Result<Option<V>, BoxedError> {
        let key = self.key(key)?;
        let found: Option<Vec<u8>> = self.redis.run(cmd("GET").arg(&key)).await?;
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&found);
        let value = value.inspect_err(|error| tracing::debug!(%error, "a cached value"));
        let value = value.ok();
        if value.is_none() {
            // Another version of the program wrote it.
            let _: i64 = self.redis.run(cmd("UNLINK").arg(&key)).await?;
        }
        Ok(value)
    }

    async fn remember(&self, key: &K, value: &V, ttl: Duration) -> Result<(), BoxedError> {
        let (key, value) = (self.key(key)?, serde_json::to_vec(value)?);
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut put = cmd("EVAL");
        put.arg(PUT).arg(1).arg(key).arg(value).arg(ttl);
        let _: i64 = self.redis.run(&put).await?;
        Ok(())
    }

    async fn forget(&self, key: &K) -> Result<(), BoxedError> {
        let key = self.key(key)?;
        let mut command = cmd("UNLINK");
        command.arg(&key);
        let mut removal = Removal {
            redis: &self.redis,
            key: Some(key),
        };
        let _: i64 = self.redis.run(&command).await?;
        removal.key = None;
        Ok(())
    }
}

impl<K, V> RedisCache<K, V> {
    pub(crate) fn new(redis: Redis, name: &str) -> Self {
        Self {
            prefix: redis.key(&format!("cache:{name}:")),
            redis,
            keeps: PhantomData,
        }
    }
}

/// Implements the port of a domain: the domains share no types.
macro_rules! cache {
    ($($domain:ident),*) => {$(
        impl<K, V> $domain::Cache<K, V> for RedisCache<K, V>
        where
            K: Serialize + Sync + 'static,
            V: Serialize + DeserializeOwned + Send + Sync + 'static,
        {
            async fn get(&self, key: &K) -> Result<Option<V>, $domain::CacheError> {
                self.recall(key).await.map_err($domain::CacheError)
            }

            async fn put(
                &self,
                key: &K,
                value: &V,
                ttl: Duration,
            ) -> Result<(), $domain::CacheError> {
                self.remember(key, value, ttl).await.map_err($domain::CacheError)
            }

            async fn remove(&self, key: &K) -> Result<(), $domain::CacheError> {
                self.forget(key).await.map_err($domain::CacheError)
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
