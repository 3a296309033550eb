//! The suites of every port.

use archesai_conformance::{caches, platform, signals};
use archesai_memory::{EventBus, MemoryCache, MemoryLimiter, MemoryWakeups};

#[tokio::test]
async fn caches() {
    let (sessions, api_keys, users) = (
        MemoryCache::new(100),
        MemoryCache::new(100),
        MemoryCache::new(100),
    );
    caches::auth(&sessions, &api_keys, &users).await;
    caches::organizations(&MemoryCache::new(100)).await;
    caches::content(&MemoryCache::new(100)).await;
}

#[tokio::test]
async fn events() {
    let bus = EventBus::default();
    signals::events_suite(&bus, &bus).await;
}

#[tokio::test]
async fn wakeups() {
    let wakeups = MemoryWakeups::default();
    signals::wakeups_suite(
        || archesai_workflows::ports::Wakeups::wake(&wakeups),
        &wakeups,
    )
    .await;
    signals::wakeups_suite(
        || archesai_content::ports::Wakeups::wake(&wakeups),
        &wakeups,
    )
    .await;
}

#[tokio::test]
async fn limits() {
    platform::limits_suite(&MemoryLimiter::default()).await;
}
