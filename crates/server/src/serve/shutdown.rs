//! Stopping: readiness goes off first, so that whoever balances the load sends
//! no more; then requests drain.

use std::{io, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use archesai_http::Live;
use archesai_worker::Stop;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What tells the process to stop: SIGTERM or SIGINT.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Takes signals from now on; before, they end the process as they stand.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal, and stops the server, which takes requests for some
    /// `delay` still. A second signal does not wait.
    pub(super) async fn then(
        mut self,
        delay: Duration,
        stop: Stop,
        live: Arc<Live>,
        server: ServerHandle,
    ) {
        self.next().await;
        tracing::info!("stopping");
        stop.cancel();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.next() => return server.stop(false).await,
        }
        // Whoever watches a run would never end by themselves.
        live.close();
        tokio::select! {
            () = server.stop(true) => {}
            () = self.next() => server.stop(false).await,
        }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        _ = tokio::signal::ctrl_c().await;
    }
}
