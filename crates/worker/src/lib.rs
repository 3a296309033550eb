//! What goes on in the background: steps are run, artifacts indexed, events
//! published and made into read models, and what has had its time is swept away.
//!
//! Each kind of work is one loop that looks for it, does it, and waits to be
//! woken. Any number of nodes may run any of them.

mod housekeeping;
mod indexing;
mod projector;
mod relay;
mod retention;
mod steps;

pub use housekeeping::{Chore, Work, keep_house};
pub use indexing::index;
pub use projector::{Pass, Projector, lag, project};
pub use relay::{herald, relay};
pub use retention::expire;
pub use steps::{StepSettings, run_steps};
pub use tokio_util::sync::CancellationToken as Stop;

// The tests run steps of the workflows domain as its own tests do.
#[cfg(test)]
#[path = "../../workflows/examples/embedding/expressions.rs"]
mod expressions;
#[cfg(test)]
#[path = "../../workflows/examples/embedding/store.rs"]
mod store;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of workflows need more of it")]
#[path = "../../workflows/tests/it/support.rs"]
mod support;
#[cfg(test)]
mod embedding {
    pub(crate) use crate::{expressions, store};
}
