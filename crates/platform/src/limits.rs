//! Rate limits.

use std::time::Duration;

use crate::Result;

/// So many requests in so much time, refilled steadily (a token bucket).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// What the limit is called, in `RateLimit-Policy`.
    pub name: &'static str,
    /// How many requests fit into the window, and at most at once.
    pub limit: u32,
    /// The window.
    pub window: Duration,
}

/// What a rate limiter decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many more could follow at once.
    pub remaining: u32,
    /// How long until one more is allowed (zero if one is) .
    pub retry_after: Duration,
}

/// Counts requests.
pub trait RateLimiter: Send + Sync + 'static {
    /// Counts one request of `subject` against a quota and decides about it.
    fn check(&self, quota: &Quota, subject: &str) -> impl Future<Output = Result<Decision>> + Send;
}
