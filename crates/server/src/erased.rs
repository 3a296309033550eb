//! Ports behind pointers, so that configuration can choose the adapters.

use std::{any::type_name, error::Error};

#[path = "erased/auth.gen.rs"]
pub mod auth;
#[path = "erased/content.gen.rs"]
pub mod content;
#[path = "erased/organizations.gen.rs"]
pub mod organizations;
#[path = "erased/platform.gen.rs"]
pub mod platform;
#[path = "erased/workflows.gen.rs"]
pub mod workflows;

/// Counts whether a cache had what it was asked for.
fn cache_answered<V>(found: bool) {
    metrics::counter!(
        "archesai_cache_requests_total",
        "cache" => remembered(type_name::<V>()),
        "outcome" => if found { "hit" } else { "miss" }
    )
    .increment(1);
}

/// What a cache remembers, by the path of its type: of several, the first.
fn remembered(path: &'static str) -> &'static str {
    let first = path.split([',', '<']).next().unwrap_or(path);
    first.rsplit("::").next().unwrap_or(first)
}

/// Tells of a cache that failed. No use case does: it goes on without.
fn cache_failed(error: &(dyn Error + 'static)) {
    metrics::counter!("archesai_cache_failures_total").increment(1);
    tracing::warn!(error, "a cache failed");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use archesai_auth::{Cache, CacheError, Session, SessionId};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::{auth::AnyCache, remembered};

    struct Broken;

    impl Broken {
        fn fail<T>() -> Result<T, CacheError> {
            Err(CacheError("it is gone".into()))
        }
    }

    impl<K: Sync, V: Sync> Cache<K, V> for Broken {
        async fn get(&self, _key: &K) -> Result<Option<V>, CacheError> {
            Self::fail()
        }

        async fn put(&self, _key: &K, _value: &V, _ttl: Duration) -> Result<(), CacheError> {
            Self::fail()
        }

        async fn remove(&self, _key: &K) -> Result<(), CacheError> {
            Self::fail()
        }
    }

    #[test]
    fn a_cache_is_named_by_what_it_remembers() {
        assert_eq!(remembered("a::session::Session"), "Session");
        assert_eq!(remembered("(a::api_key::ApiKey, [u8; 32])"), "ApiKey");
    }

    #[test]
    fn the_failures_of_a_cache_are_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let counted = recorder.handle();
        let cache: AnyCache<SessionId, Session> = AnyCache::new(Broken);
        let id = SessionId(1);
        let calls = async {
            assert!(cache.get(&id).await.is_err());
            assert!(cache.remove(&id).await.is_err());
        };
        metrics::with_local_recorder(&recorder, || futures_util::FutureExt::now_or_never(calls));
        let counted = counted.render();
        assert!(
            counted.contains("archesai_cache_failures_total 2"),
            "{counted}"
        );
    }
}
