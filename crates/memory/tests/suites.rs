//! The suites of every port.

use std::time::{Duration, Instant};

use archesai_conformance::{caches, platform};
use archesai_memory::{Freshness, MemoryCache, MemoryLimiter};

#[tokio::test]
async fn caches() {
    let (sessions, api_keys, users) = (
        MemoryCache::new(100, always()),
        MemoryCache::new(100, always()),
        MemoryCache::new(100, always()),
    );
    caches::auth(&sessions, &api_keys, &users).await;
    caches::organizations(&MemoryCache::new(100, always())).await;
    caches::content(&MemoryCache::new(100, always())).await;
}

#[tokio::test]
async fn limits() {
    platform::limits_suite(&MemoryLimiter::default()).await;
}

/// What is believed throughout.
fn always() -> Freshness {
    let freshness = Freshness::default();
    freshness.confirm(Instant::now(), Duration::from_hours(1));
    freshness
}

#[tokio::test]
async fn who_hears_nothing_knows_nothing() {
    use archesai_auth::Cache as _;

    let freshness = Freshness::default();
    let cache = MemoryCache::new(1, freshness.clone());
    cache.put(&1, &2, Duration::from_hours(1)).await.unwrap();
    assert_eq!(cache.get(&1).await.unwrap(), None);
    freshness.confirm(Instant::now(), Duration::from_hours(1));
    assert_eq!(cache.get(&1).await.unwrap(), Some(2));
}
