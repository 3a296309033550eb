//! Who guesses credentials, and for how long they are not listened to.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many are remembered. Whoever finds no room takes that of the one who would be
/// listened to the soonest.
const REMEMBERED: usize = 10_000;

/// Those who guessed too often, such as networks, each until when.
pub struct Guesses<K = IpAddr>(Mutex<HashMap<K, Instant>>);

impl<K> Default for Guesses<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Guesses<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses somebody for a while.
    pub(crate) fn refuse(&self, who: K, wait: Duration) {
        let (mut refused, now) = (self.lock(), Instant::now());
        if refused.len() >= REMEMBERED {
            refused.retain(|_, until| *until > now);
        }
        if refused.len() >= REMEMBERED {
            let soonest = refused.iter().min_by_key(|(_, until)| **until);
            if let Some(soonest) = soonest.map(|(who, _)| *who) {
                refused.remove(&soonest);
            }
        }
        refused.insert(who, now + wait);
    }

    /// How much longer somebody is refused, if they are.
    pub(crate) fn refused(&self, who: K) -> Option<Duration> {
        let left = self
            .lock()
            .get(&who)?
            .checked_duration_since(Instant::now());
        left.filter(|left| !left.is_zero())
    }
}

/// What an address is counted as. Whoever has one address of version 6 has a
/// network of them, as a rule 64 bits wide (RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(prefix).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_version_6_is_one_guest() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ] {
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(network(address.parse().unwrap()), expected);
        }
    }

    #[test]
    fn who_guesses_is_refused_for_as_long_as_they_must_wait() {
        let (guesses, here) = (Guesses::default(), IpAddr::from([192, 0, 2, 1]));
        assert_eq!(guesses.refused(here), None);
        guesses.refuse(here, Duration::from_hours(1));
        assert!(guesses.refused(here).is_some());
        assert_eq!(guesses.refused(IpAddr::from([192, 0, 2, 2])), None);
        guesses.refuse(here, Duration::ZERO);
        assert_eq!(guesses.refused(here), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let guesses = Guesses::default();
        for at in 0..20_000 {
            guesses.refuse(
                IpAddr::from(std::net::Ipv4Addr::from_bits(at)),
                Duration::from_hours(1),
            );
        }
        assert_eq!(guesses.lock().len(), REMEMBERED);
    }
}
