//! Makes artifacts searchable: extracts their text, and embeds what has no embedding yet.

use std::{sync::Arc, time::Duration};

use archesai_content::{Adapters, IndexWork, Result, Service};
use archesai_platform::wakeups::Wake;

use crate::Stop;

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Indexes artifacts until it is stopped. What it is at then is handed back.
pub async fn index<A: Adapters, W: Wake>(
    service: Arc<Service<A>>,
    wake: W,
    poll: Duration,
    stop: Stop,
) {
    while !stop.is_cancelled() {
        let wait = match round(&service, &stop).await {
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

/// Does one piece of work. Answers whether there may be more.
async fn round<A: Adapters>(service: &Service<A>, stop: &Stop) -> Result<bool> {
    let Some(work) = service.claim_work().await? else {
        return Ok(false);
    };
    tokio::select! {
        done = service.work(&work) => done?,
        () = keep(service, &work) => {}
        () = stop.cancelled() => service.hand_back(&work).await?,
    }
    if matches!(work, IndexWork::Index(_)) {
        metrics::counter!("archesai_artifacts_indexed_total").increment(1);
    }
    Ok(true)
}

/// Makes a claim last until it is lost.
async fn keep<A: Adapters>(service: &Service<A>, work: &IndexWork) {
    loop {
        tokio::time::sleep(service.settings.lease / 3).await;
        // Whether the store fails the work finds out too.
        if let Ok(false) = service.keep(work).await {
            return;
        }
    }
}
