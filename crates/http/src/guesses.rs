//! Who guesses credentials, and for how long they are not listened to.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many networks are remembered. Those that find no room are refused like
/// others, if only after somebody looked.
const REMEMBERED: usize = 10_000;

/// The networks that guessed too often, each until when.
#[derive(Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Instant>>);

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what comes from a network for a while.
    pub(crate) fn refuse(&self, network: IpAddr, wait: Duration) {
        let (mut refused, now) = (self.lock(), Instant::now());
        if refused.len() >= REMEMBERED {
            refused.retain(|_, until| *until > now);
        }
        if refused.len() < REMEMBERED {
            refused.insert(network, now + wait);
        }
    }

    /// How much longer a network is refused, if it is.
    pub(crate) fn refused(&self, network: IpAddr) -> Option<Duration> {
        let left = self
            .lock()
            .get(&network)?
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
