//! Rate limits within the process, by the generic cell rate algorithm.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use archesai_platform::{
    Error, Result,
    limits::{Decision, Quota, RateLimiter},
};
use governor::{
    NotUntil,
    clock::{Clock, DefaultClock, QuantaInstant},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

type Limiter = governor::RateLimiter<
    String,
    DefaultKeyedStateStore<String>,
    DefaultClock,
    StateInformationMiddleware,
>;

/// Counts the requests of this process, by quota and subject.
#[derive(Clone, Default)]
pub struct MemoryLimiter(Arc<Mutex<HashMap<Quota, Arc<Limiter>>>>);

/// How many subjects are remembered before those at rest are forgotten.
const REMEMBERED: usize = 100_000;

impl MemoryLimiter {
    fn limiter(&self, quota: &Quota) -> Result<Arc<Limiter>> {
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = limiters.get(quota) {
            return Ok(Arc::clone(limiter));
        }
        let limit = NonZeroU32::new(quota.limit).ok_or_else(|| Error::unavailable("limit 0"))?;
        let period = (quota.window / quota.limit).max(Duration::from_nanos(1));
        let governed = governor::Quota::with_period(period)
            .ok_or_else(|| Error::unavailable("window 0"))?
            .allow_burst(limit);
        let limiter = governor::RateLimiter::keyed(governed).with_middleware();
        let limiter = Arc::new(limiter);
        limiters.insert(*quota, Arc::clone(&limiter));
        Ok(limiter)
    }
}

impl RateLimiter for MemoryLimiter {
    async fn check(&self, quota: &Quota, subject: &str) -> Result<Decision> {
        let limiter = self.limiter(quota)?;
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        Ok(match limiter.check_key(&subject.to_owned()) {
            Ok(state) => Decision {
                allowed: true,
                remaining: state.remaining_burst_capacity(),
                retry_after: Duration::ZERO,
            },
            Err(not_until) => refusal(&not_until),
        })
    }
}

fn refusal(not_until: &NotUntil<QuantaInstant>) -> Decision {
    Decision {
        allowed: false,
        remaining: 0,
        retry_after: not_until.wait_time_from(DefaultClock::default().now()),
    }
}
