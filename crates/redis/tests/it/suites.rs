//! The suites of every port, on one server and on a cluster, within a node and between two.

use archesai_conformance::{caches, platform, signals};
use archesai_platform::wakeups::Wakeups as _;
use archesai_redis::Redis;

use crate::support::{alone, another, cluster, connect, settings};

async fn two_nodes(url: String) -> [Redis; 2] {
    let settings = settings(url);
    [connect(another(&settings)).await, connect(settings).await]
}

async fn caches_pass(redis: &Redis) {
    let (sessions, api_keys, users) = (
        redis.cache("sessions"),
        redis.cache("api_keys"),
        redis.cache("users"),
    );
    caches::auth(&sessions, &api_keys, &users).await;
    caches::organizations(&redis.cache("members")).await;
    caches::content(&redis.cache("artifacts")).await;
}

async fn events_pass([one, two]: [Redis; 2]) {
    signals::events_suite(&one.events(), &two.events()).await;
}

async fn wakeups_pass([one, two]: [Redis; 2]) {
    let (steps, elsewhere) = (one.wakeups("steps"), two.wakeups("steps"));
    signals::wakeups_suite(|| steps.wake(), &steps).await;
    signals::wakeups_suite(|| steps.wake(), &elsewhere).await;
}

#[tokio::test]
async fn caches_alone() {
    caches_pass(&connect(settings(alone())).await).await;
}

#[tokio::test]
async fn caches_in_a_cluster() {
    caches_pass(&connect(settings(cluster())).await).await;
}

#[tokio::test]
async fn events_alone() {
    events_pass(two_nodes(alone()).await).await;
}

#[tokio::test]
async fn events_in_a_cluster() {
    events_pass(two_nodes(cluster()).await).await;
}

#[tokio::test]
async fn wakeups_alone() {
    wakeups_pass(two_nodes(alone()).await).await;
}

#[tokio::test]
async fn wakeups_in_a_cluster() {
    wakeups_pass(two_nodes(cluster()).await).await;
}

#[tokio::test]
async fn limits_alone() {
    platform::limits_suite(&connect(settings(alone())).await.limiter()).await;
}

#[tokio::test]
async fn limits_in_a_cluster() {
    platform::limits_suite(&connect(settings(cluster())).await.limiter()).await;
}
