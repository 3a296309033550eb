//! Rate limits over all nodes, by the generic cell rate algorithm (ITU-T I.371, annex A).

use std::time::Duration;

use archesai_platform::{
    Error, Result,
    limits::{Decision, Quota, RateLimiter},
};
use deadpool_redis::redis::cmd;

use crate::Redis;

/// Decides about one request, by the clock of the server alone. Times are in microseconds. What is
/// kept is when the next request would be due if all came evenly (the theoretical arrival time);
/// it is forgotten when it has passed, and never trusted to lie further ahead than it can, which it
/// would after the clock was set back.
const DECIDE: &str = "\
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = tonumber(redis.call('GET', KEYS[1]) or now)
due = math.min(math.max(due, now), now + burst) + interval
local wait = due - now - burst
if wait > 0 then
  return {0, 0, wait}
end
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return {1, math.floor((burst - (due - now)) / interval), 0}";

/// Counts the requests of all nodes, by quota and subject.
#[derive(Clone)]
pub struct RedisLimiter(Redis);

impl RedisLimiter {
    pub(crate) fn new(redis: Redis) -> Self {
        Self(redis)
    }
}

impl RateLimiter for RedisLimiter {
    async fn check(&self, quota: &Quota, subject: &str) -> Result<Decision> {
        let window = u64::try_from(quota.window.as_micros()).map_err(Error::unavailable)?;
        let interval = window.checked_div(quota.limit.into());
        let interval = interval.filter(|interval| *interval > 0);
        let interval = interval.ok_or_else(|| Error::unavailable("a quota that is none"))?;
        let key = self.0.key(&format!("limit:{}:{subject}", quota.name));
        let mut decide = cmd("EVAL");
        decide.arg(DECIDE).arg(1).arg(key);
        decide.arg(interval).arg(interval * u64::from(quota.limit));
        let (allowed, remaining, wait): (u8, u32, u64) =
            self.0.run(&decide).await.map_err(Error::unavailable)?;
        Ok(Decision {
            allowed: allowed == 1,
            remaining,
            retry_after: Duration::from_micros(wait),
        })
    }
}
