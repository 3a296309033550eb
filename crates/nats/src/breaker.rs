//! Not to wait again for a server that was just found silent.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long nobody asks a server that did not answer in time.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// Open for a moment after somebody waited in vain.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<Option<Instant>>);

impl Breaker {
    /// Whether asking is pointless for now.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Somebody waited in vain.
    pub(crate) fn open(&self) {
        *self.lock() = Some(Instant::now() + PAUSE);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(breaker.is_open());
        tokio::time::advance(PAUSE).await;
        assert!(!breaker.is_open());
    }
}
