//! How long a step waits before its next attempt.

use std::time::Duration;

use crate::definition::{Backoff, Retry};

/// The longest wait that the other side of a failed call can ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// The delay after an attempt, counted from 1.
///
/// `jitter`, in thousandths, says how much of the half that jitter may take
/// away it does. `scale` stretches the result; what the other side `asked` for
/// is not stretched.
pub(super) fn delay(
    retry: &Retry,
    attempt: u32,
    jitter: u16,
    scale: f64,
    asked: Option<Duration>,
) -> Duration {
    let doublings = match retry.backoff {
        Backoff::Fixed => 0,
        Backoff::Exponential => attempt.saturating_sub(1).min(31),
    };
    let full = retry.initial.saturating_mul(1 << doublings).min(retry.max);
    let kept = if retry.jitter {
        2_000 - u32::from(jitter.min(1_000))
    } else {
        2_000
    };
    let scale = if scale.is_finite() {
        scale.max(0.0)
    } else {
        1.0
    };
    let scaled = (full * kept / 2_000).as_secs_f64() * scale;
    let delay = Duration::try_from_secs_f64(scaled).unwrap_or(full);
    delay.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(backoff: Backoff) -> Retry {
        Retry {
            backoff,
            ..Retry::default()
        }
    }

    fn seconds(backoff: Backoff, attempt: u32) -> u64 {
        delay(&retry(backoff), attempt, 0, 1.0, None).as_secs()
    }

    #[test]
    fn exponential_delays_double_up_to_the_longest() {
        let delays = [1, 2, 3, 7, 40].map(|attempt| seconds(Backoff::Exponential, attempt));
        assert_eq!(delays, [1, 2, 4, 60, 60]);
    }

    #[test]
    fn fixed_delays_stay() {
        assert_eq!(seconds(Backoff::Fixed, 1), seconds(Backoff::Fixed, 9));
    }

    #[test]
    fn jitter_takes_half_at_most() {
        let shortest = delay(&Retry::default(), 2, 1_000, 1.0, None);
        assert_eq!(shortest, Duration::from_secs(1));
    }

    #[test]
    fn who_asks_for_more_time_gets_it() {
        let asked = Duration::from_secs(5);
        let given = delay(&Retry::default(), 1, 0, 0.0, Some(asked));
        assert_eq!(given, asked);
        assert_eq!(delay(&Retry::default(), 1, 0, 0.0, None), Duration::ZERO);
    }
}
