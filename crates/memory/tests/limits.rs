//! The suite of the rate limiter.

use archesai_memory::MemoryLimiter;

#[tokio::test]
async fn limits() {
    archesai_conformance::platform::limits_suite(&MemoryLimiter::default()).await;
}
