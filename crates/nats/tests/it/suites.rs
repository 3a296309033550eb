//! The suites of the ports, between two nodes.

use archesai_conformance::signals::{events_suite, wakeups_suite};
use archesai_platform::wakeups::Wakeups as _;

use crate::scratch::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.node().await, scratch.node().await);
    events_suite(&here.events(), &there.events()).await;
    scratch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wakeups() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.node().await, scratch.node().await);
    let (waker, waiting) = (here.wakeups("steps"), there.wakeups("steps"));
    wakeups_suite(|| waker.wake(), &waker).await;
    wakeups_suite(|| waker.wake(), &waiting).await;
}
