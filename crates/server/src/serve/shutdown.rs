//! Stopping: readiness goes off first, so that whoever balances the load sends
//! no more; then requests drain.

use std::{sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use archesai_http::Live;
use archesai_worker::Stop;

/// How long requests are still taken after readiness went off.
const LINGER: Duration = Duration::from_millis(500);

/// Waits for SIGTERM or SIGINT, and stops the server. A second signal does not wait.
pub(super) async fn watch(stop: Stop, live: Arc<Live>, server: ServerHandle) {
    signalled().await;
    tracing::info!("stopping");
    stop.cancel();
    tokio::select! {
        () = tokio::time::sleep(LINGER) => {}
        () = signalled() => return server.stop(false).await,
    }
    // Whoever watches a run would never end by themselves.
    live.close();
    tokio::select! {
        () = server.stop(true) => {}
        () = signalled() => server.stop(false).await,
    }
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    _ = tokio::signal::ctrl_c().await;
}
