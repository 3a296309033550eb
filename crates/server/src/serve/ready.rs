//! Whether the server can do its work.

use std::sync::Arc;

use archesai_http::{Check, Readiness};
use archesai_worker::Stop;
use async_trait::async_trait;

use crate::compose::Infrastructure;

/// Asks everything the server depends on.
pub(super) struct Ready {
    infrastructure: Arc<Infrastructure>,
    stop: Stop,
}

impl Ready {
    pub(super) fn new(infrastructure: Arc<Infrastructure>, stop: Stop) -> Self {
        Self {
            infrastructure,
            stop,
        }
    }
}

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Vec<Check> {
        let stopping = self.stop.is_cancelled().then_some("stopping");
        let mut found = vec![Check::needed("server", stopping)];
        found.extend(self.infrastructure.check().await);
        found
    }
}
