//! A Redis that is gone, silent or slow: everybody is answered soon, then at once, and all is as
//! before soon after it is back.

use std::time::{Duration, Instant};

use archesai_auth::Cache as _;
use archesai_conformance::fault_proxy::{Fault, FaultProxy};
use archesai_platform::limits::{Quota, RateLimiter as _};
use archesai_redis::Redis;
use deadpool_redis::redis::{self, AsyncCommands as _};

use crate::{
    distant::{Distant, LONG, PATIENCE, faults},
    support::{Cache, address, alone, connect, settings, until},
};

const AT_ONCE: Duration = Duration::from_millis(5);

const QUOTA: Quota = Quota {
    name: "test",
    limit: 1_000,
    window: Duration::from_hours(1),
};

#[tokio::test]
async fn what_is_lost_comes_back() {
    let there = Distant::new().await;
    let [cache, _] = there.caches();
    let limiter = there.far.limiter();
    for fault in faults() {
        let value = format!("{fault:?}");
        cache.put(&1, &value, LONG).await.unwrap();
        assert_eq!(cache.get(&1).await.unwrap(), Some(value.clone()));
        there.lose(fault).await;

        // The fastest of some, since others use the machine.
        let mut fastest = Duration::MAX;
        for _ in 0..20 {
            let begun = Instant::now();
            assert!(cache.get(&1).await.is_err());
            assert!(cache.put(&1, &value, LONG).await.is_err());
            assert!(limiter.check(&QUOTA, "somebody").await.is_err());
            assert!(there.far.check().await.is_err());
            fastest = fastest.min(begun.elapsed());
        }
        assert!(fastest < AT_ONCE, "{fastest:?}");

        there.mend().await;
        assert_eq!(cache.get(&1).await.unwrap(), Some(value));
        assert!(limiter.check(&QUOTA, "somebody").await.unwrap().allowed);
    }
}

#[tokio::test]
async fn connections_that_break_are_made_again() {
    let there = Distant::new().await;
    let [cache, _] = there.caches();
    cache.put(&1, &"one".to_owned(), LONG).await.unwrap();
    for _ in 0..3 {
        there.proxy.reset();
        let is_back = async || cache.get(&1).await.is_ok_and(|found| found.is_some());
        until("it is found again", is_back).await;
    }
}

#[tokio::test]
async fn many_who_wait_are_all_answered_soon() {
    let there = Distant::new().await;
    there.proxy.set(Fault::BlackHole).await;
    let [cache, _] = there.caches();
    let begun = Instant::now();
    let gets = (0..1_000).map(|key| {
        let cache = cache.clone();
        async move { cache.get(&key).await.is_err() }
    });
    let failed = futures_util::future::join_all(gets).await;
    assert!(failed.into_iter().all(|failed| failed));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn it_starts_without_redis() {
    for fault in [Fault::Refuse, Fault::BlackHole] {
        let begun = Instant::now();
        let there = Distant::before(fault, &alone(), "", &alone()).await;
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        assert!(there.far.check().await.is_err());
        there.mend().await;
        let [cache, _] = there.caches();
        cache.put(&1, &"one".to_owned(), LONG).await.unwrap();
        assert_eq!(cache.get(&1).await.unwrap().as_deref(), Some("one"));
    }
}

#[tokio::test]
async fn a_cluster_is_found_through_any_of_its_nodes() {
    let nodes = crate::support::cluster();
    let gone = FaultProxy::start(address(&alone())).await;
    gone.set(Fault::Refuse).await;
    let url = format!("redis://{},{nodes}", gone.address());
    let redis = connect(settings(url)).await;
    let cache: Cache = redis.cache("some");
    for key in 0..10 {
        cache.put(&key, &key.to_string(), LONG).await.unwrap();
        assert_eq!(cache.get(&key).await.unwrap(), Some(key.to_string()));
    }
}

#[tokio::test]
async fn what_another_version_wrote_is_forgotten() {
    let settings = settings(alone());
    let client = redis::Client::open(alone()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}:cache:some:1", settings.prefix);
    let redis = Redis::connect(settings).await.unwrap();
    let cache: Cache = redis.cache("some");
    for other in ["{\"unlike\": 1}", "not JSON", "\u{0}"] {
        let () = raw.set(&key, other).await.unwrap();
        assert_eq!(cache.get(&1).await.unwrap(), None);
        assert!(!raw.exists::<_, bool>(&key).await.unwrap());
    }
    cache.put(&1, &"one".to_owned(), LONG).await.unwrap();
    let time: i64 = raw.ttl(&key).await.unwrap();
    assert!((3_500..=3_600).contains(&time));
}

#[tokio::test]
async fn nodes_count_together() {
    let there = Distant::new().await;
    let quota = Quota { limit: 4, ..QUOTA };
    for remaining in [3, 1] {
        let one = there.far.limiter().check(&quota, "all").await.unwrap();
        let other = there.near.limiter().check(&quota, "all").await.unwrap();
        assert_eq!((one.remaining, other.remaining), (remaining, remaining - 1));
    }
    let one = there.far.limiter().check(&quota, "all").await.unwrap();
    assert!(!one.allowed);
}
