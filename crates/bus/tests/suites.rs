//! The suites of both ports.

use archesai_bus::{Events, Wakeups};
use archesai_conformance::signals;
use archesai_platform::wakeups::Wakeups as _;

#[tokio::test]
async fn events() {
    let events = Events::default();
    signals::events_suite(&events, &events).await;
}

#[tokio::test]
async fn wakeups() {
    let wakeups = Wakeups::default();
    signals::wakeups_suite(|| wakeups.wake(), &wakeups).await;
}
