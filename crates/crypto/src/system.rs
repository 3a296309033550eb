//! The clock and the identifiers of the real world.

use std::time::SystemTime;

use uuid::Uuid;

/// The system's clock, and UUIDv7 (RFC 9562, section 5.7), ever growing within a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// Implements the ports of a domain: the domains share no types.
macro_rules! system {
    ($($domain:ident),*) => {$(
        impl $domain::Clock for System {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
            fn now(&self) -> SystemTime {
                SystemTime::now()
            }
        }

        impl $domain::Ids for System {
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
    archesai_content
);
