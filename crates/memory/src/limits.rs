//! Rate limits within the process, by the generic cell rate algorithm (ITU-T I.371, annex A).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use archesai_platform::{
    Error, Result,
    limits::{Decision, Quota, RateLimiter},
};

/// How many subjects of one quota are remembered.
const REMEMBERED: usize = 100_000;

/// How often those at rest are looked for, where there are too many.
const SWEEP: Duration = Duration::from_secs(1);

/// Whoever finds no room to be remembered is counted together with all others of whom that is true.
const OTHERS: &str = "";

/// Counts the requests of this process, by quota and subject.
#[derive(Clone, Default)]
pub struct MemoryLimiter(Arc<Mutex<HashMap<Quota, Subjects>>>);

/// When the next request of each subject would be due if all came evenly. A
/// subject whose time has come is as good as forgotten.
#[derive(Default)]
struct Subjects {
    due: HashMap<String, Instant>,
    swept: Option<Instant>,
}

impl Subjects {
    /// A subject's time, to be moved on.
    fn due(&mut self, subject: &str, now: Instant) -> &mut Instant {
        let known = self.due.contains_key(subject);
        let name = if known || self.has_room(now) {
            subject
        } else {
            OTHERS
        };
        self.due.entry(name.to_owned()).or_insert(now)
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let rested = self.swept.is_none_or(|swept| now - swept >= SWEEP);
        if self.due.len() >= REMEMBERED && rested {
            self.due.retain(|_, due| *due > now);
            self.swept = Some(now);
        }
        self.due.len() < REMEMBERED
    }
}

impl RateLimiter for MemoryLimiter {
    async fn check(&self, quota: &Quota, subject: &str) -> Result<Decision> {
        let interval = quota.window.checked_div(quota.limit);
        let interval = interval.filter(|interval| !interval.is_zero());
        let interval = interval.ok_or_else(|| Error::unavailable("a quota that is none"))?;
        let burst = interval * quota.limit;
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = quotas.entry(*quota).or_default().due(subject, now);
        let next = (*due).max(now) + interval;
        let ahead = next - now;
        let Some(left) = burst.checked_sub(ahead) else {
            return Ok(Decision {
                allowed: false,
                remaining: 0,
                retry_after: ahead.saturating_sub(burst),
            });
        };
        *due = next;
        Ok(Decision {
            allowed: true,
            remaining: u32::try_from(left.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX),
            retry_after: Duration::ZERO,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        name: "test",
        limit: 2,
        window: Duration::from_hours(1),
    };

    #[tokio::test]
    async fn what_is_remembered_is_bounded_and_nobody_escapes() {
        let limiter = MemoryLimiter::default();
        let allowed = async |subject: String| {
            let decision = limiter.check(&QUOTA, &subject).await;
            decision.unwrap().allowed
        };
        for at in 0..REMEMBERED {
            assert!(allowed(at.to_string()).await);
        }
        // Newcomers share what is left, and those who are known keep their own.
        assert!(allowed("one".to_owned()).await);
        assert!(allowed("two".to_owned()).await);
        assert!(!allowed("three".to_owned()).await);
        assert!(allowed("0".to_owned()).await);
        assert!(!allowed("0".to_owned()).await);
        let quotas = limiter.0.lock().unwrap();
        assert_eq!(quotas[&QUOTA].due.len(), REMEMBERED + 1);
    }

    #[test]
    fn who_is_at_rest_makes_room() {
        let mut subjects = Subjects::default();
        let now = Instant::now();
        for at in 0..REMEMBERED {
            *subjects.due(&at.to_string(), now) = now + SWEEP / 2;
        }
        subjects.due("late", now);
        assert!(!subjects.due.contains_key("late"), "all are busy");
        subjects.due("late", now + SWEEP / 2);
        assert!(!subjects.due.contains_key("late"), "it was just swept");
        subjects.due("late", now + SWEEP);
        assert!(subjects.due.contains_key("late"));
        assert_eq!(subjects.due.len(), 1);
    }
}
