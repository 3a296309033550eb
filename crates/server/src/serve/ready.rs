//! Whether the server can do its work.

use std::sync::Arc;

use archesai_http::Readiness;
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
    async fn check(&self) -> Vec<(&'static str, Option<String>)> {
        let stopping = self.stop.is_cancelled();
        let mut found = vec![("server", stopping.then(|| "stopping".to_owned()))];
        for (name, answers) in self.infrastructure.check().await {
            found.push((name, (!answers).then(|| "unavailable".to_owned())));
        }
        found
    }
}
