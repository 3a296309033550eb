//! Makes artifacts searchable: extracts their text, and embeds what has no embedding yet.

use std::{sync::Arc, time::Duration};

use archesai_content::{Adapters, Service};

use crate::{Stop, Wake};

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Indexes artifacts until it is stopped.
pub async fn index<A: Adapters, W: Wake>(
    service: Arc<Service<A>>,
    wake: W,
    poll: Duration,
    stop: Stop,
) {
    while !stop.is_cancelled() {
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = round(&service) => round,
        };
        let wait = match round {
            Ok(true) => continue,
            Ok(false) => poll,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "indexing");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.woken() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Does one piece of work. Answers whether there may be more. New artifacts go
/// before passages that lack an embedding: those are found by words already.
async fn round<A: Adapters>(service: &Service<A>) -> archesai_content::Result<bool> {
    if service.index_next().await?.is_some() {
        metrics::counter!("archesai_artifacts_indexed_total").increment(1);
        return Ok(true);
    }
    Ok(service.embed_missing().await? > 0)
}
