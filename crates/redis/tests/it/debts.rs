//! Removals that could not be carried out: what they were to remove is never recalled where they
//! failed, and nowhere once Redis is back.

use archesai_auth::Cache as _;
use archesai_conformance::fault_proxy::Fault;
use deadpool_redis::redis::{self, AsyncCommands as _};
use futures_util::FutureExt as _;

use crate::{
    distant::{Distant, LONG, faults},
    support::{Cache, alone, cluster, until},
};

fn one() -> String {
    "one".to_owned()
}

#[tokio::test]
async fn what_is_owed_is_removed_when_redis_is_back() {
    let there = Distant::new().await;
    let [cache, near] = there.caches();
    for (key, fault) in (1..).zip(faults()) {
        for key in [key, key + 10] {
            cache.put(&key, &one(), LONG).await.unwrap();
        }
        there.proxy.set(fault).await;
        // One that is tried, and one that is not.
        for key in [key, key + 10] {
            assert!(cache.remove(&key).await.is_err());
            assert!(cache.get(&key).await.is_err());
        }
        assert_eq!(there.far.owed_removals(), 2);
        // A slow network carries the first one out, late; nothing carries out the other.
        assert_eq!(near.get(&(key + 10)).await.unwrap(), Some(one()));
        there.mend().await;
        assert_eq!(there.far.owed_removals(), 0);
        for key in [key, key + 10] {
            assert_eq!(near.get(&key).await.unwrap(), None);
            assert_eq!(cache.get(&key).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn what_was_put_before_does_not_come_back_after() {
    let there = Distant::new().await;
    let [cache, near] = there.caches();
    there.proxy.set(Fault::BlackHole).await;
    // It is on its way until the network is back.
    assert!(cache.put(&1, &one(), LONG).await.is_err());
    assert!(cache.remove(&1).await.is_err());
    there.mend().await;
    assert_eq!(near.get(&1).await.unwrap(), None);
    // However late it is.
    near.put(&1, &one(), LONG).await.unwrap();
    assert_eq!(near.get(&1).await.unwrap(), None);
    // Other keys are not concerned, and neither is a removal that is not owed.
    for key in [2, 3] {
        cache.put(&key, &one(), LONG).await.unwrap();
        cache.remove(&key).await.unwrap();
        cache.put(&key, &one(), LONG).await.unwrap();
        assert_eq!(cache.get(&key).await.unwrap(), Some(one()));
    }
}

#[tokio::test]
async fn a_removal_that_is_given_up_is_owed() {
    let there = Distant::new().await;
    let [cache, near] = there.caches();
    near.put(&1, &one(), LONG).await.unwrap();
    there.proxy.set(Fault::BlackHole).await;
    assert!(cache.remove(&1).now_or_never().is_none());
    assert_eq!(there.far.owed_removals(), 1);
    there.mend().await;
    assert_eq!(near.get(&1).await.unwrap(), None);
}

/// More than are remembered one by one.
const MANY: u32 = 10_001;

async fn everything_is_removed(server: &str, options: &str, near: &str, beside: &str) {
    let there = Distant::before(Fault::Refuse, server, options, near).await;
    let [cache, near] = there.caches();
    for key in 0..3_000 {
        near.put(&key, &one(), LONG).await.unwrap();
    }
    let elsewhere = crate::support::connect(crate::support::settings(beside.to_owned())).await;
    let elsewhere: Cache = elsewhere.cache("some");
    elsewhere.put(&1, &one(), LONG).await.unwrap();
    for key in 0..MANY {
        assert!(cache.remove(&(key + 1_000_000)).await.is_err());
    }
    there.mend().await;
    assert_eq!(there.far.owed_removals(), 0);
    for key in 0..3_000 {
        assert_eq!(near.get(&key).await.unwrap(), None);
    }
    assert_eq!(elsewhere.get(&1).await.unwrap(), Some(one()));
    cache.put(&1, &one(), LONG).await.unwrap();
    assert_eq!(near.get(&1).await.unwrap(), Some(one()));
}

#[tokio::test]
async fn who_owes_too_much_removes_everything() {
    everything_is_removed(&alone(), "", &alone(), &alone()).await;
}

#[tokio::test]
async fn who_owes_too_much_removes_everything_from_a_cluster() {
    let nodes = cluster();
    let (first, _) = nodes.split_once(',').unwrap();
    everything_is_removed(first, "?cluster=true", &nodes, &nodes).await;
}

#[tokio::test]
async fn a_server_that_answers_with_errors_is_given_up() {
    let there = Distant::new().await;
    let [cache, _] = there.caches();
    cache.put(&1, &one(), LONG).await.unwrap();
    let client = redis::Client::open(alone()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    // What is no text cannot be got as one.
    let key = format!("{}:cache:some:2", there.prefix);
    let () = raw.lpush(&key, "x").await.unwrap();
    until("it is given up", async || {
        assert!(cache.get(&2).await.is_err());
        !there.far.is_connected()
    })
    .await;
    let is_found = async || cache.get(&1).await.is_ok_and(|found| found.is_some());
    until("it is back", is_found).await;
    cache.remove(&2).await.unwrap();
    assert_eq!(cache.get(&2).await.unwrap(), None);
}
