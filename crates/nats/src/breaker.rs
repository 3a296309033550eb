//! Not to wait again for a server that was just found silent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

/// How long nobody asks a server that did not answer in time.
const PAUSE: Duration = Duration::from_millis(500);

/// Open for a moment after somebody waited in vain.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Arc<AtomicBool>);

impl Breaker {
    /// Whether asking is pointless for now.
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Somebody waited in vain.
    pub(crate) fn open(&self) {
        if !self.0.swap(true, Ordering::Relaxed) {
            let is_open = Arc::clone(&self.0);
            tokio::spawn(async move {
                sleep(PAUSE).await;
                is_open.store(false, Ordering::Relaxed);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_open_for_a_moment() {
        let breaker = Breaker::default();
        assert!(!breaker.is_open());
        breaker.open();
        breaker.open();
        assert!(breaker.is_open());
        sleep(PAUSE + Duration::from_millis(1)).await;
        assert!(!breaker.is_open());
    }
}
