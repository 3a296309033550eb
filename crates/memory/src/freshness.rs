//! Until when what is remembered may be believed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Until when caches may be asked. A node that does not hear of what others change must not go by
/// what it remembers, however short a time it has not. Clones are the same.
#[derive(Clone, Debug)]
pub struct Freshness {
    /// What times are counted from.
    origin: Instant,
    /// Until when, in microseconds.
    until: Arc<AtomicU64>,
}

impl Default for Freshness {
    /// Nothing is believed yet.
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            until: Arc::default(),
        }
    }
}

impl Freshness {
    /// Everything that changed by `as_of` is known: what is remembered may be believed for
    /// a while from then.
    pub fn confirm(&self, as_of: Instant, lasts: Duration) {
        let until = self.since_origin(as_of + lasts);
        self.until.fetch_max(until, Ordering::AcqRel);
    }

    pub(crate) fn holds(&self) -> bool {
        self.since_origin(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    fn since_origin(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.origin).as_micros();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_from_a_look_for_as_long_as_that_lasts() {
        let freshness = Freshness::default();
        assert!(!freshness.holds());
        let now = Instant::now();
        freshness.confirm(now, Duration::from_hours(1));
        assert!(freshness.holds());
        // An older look takes nothing away.
        freshness.confirm(now, Duration::ZERO);
        assert!(freshness.holds());
        let stale = Freshness::default();
        stale.confirm(now, Duration::ZERO);
        assert!(!stale.holds());
    }
}
