//! The clock, the identifiers and the randomness of the real world.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::Rng;
use uuid::Uuid;

/// The system's clock, and `UUIDv7` (RFC 9562, section 5.7), ever growing within a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// The time, to the microsecond: what no database would give back is not given out.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock"
)]
pub(crate) fn now() -> SystemTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let beyond = Duration::from_nanos(u64::from(since.subsec_nanos() % 1_000));
    UNIX_EPOCH + since.saturating_sub(beyond)
}

/// Bytes that nobody can guess.
#[expect(
    clippy::disallowed_methods,
    reason = "secrets are the business of this crate"
)]
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Implements the ports of the domains and of `platform`: they share no types.
macro_rules! system {
    ($($($module:ident)::+),*) => {$(
        impl $($module)::+::Clock for System {
            fn now(&self) -> SystemTime {
                now()
            }
        }

        impl $($module)::+::Ids for System {
            #[expect(clippy::disallowed_methods, reason = "the one place that makes identifiers")]
            fn next(&self) -> u128 {
                Uuid::now_v7().as_u128()
            }
        }
    )*};
}
system!(
    archesai_auth,
    archesai_organizations,
    archesai_workflows,
    archesai_content,
    archesai_platform::system
);
