//! What goes on in the background: steps are run, artifacts indexed, events
//! published, and what has had its time is swept away.
//!
//! Each kind of work is one loop that looks for it, does it, and waits to be
//! woken. Any number of nodes may run any of them.

mod housekeeping;
mod indexing;
mod relay;
mod steps;
mod wake;

pub use housekeeping::{Chore, Work, keep_house};
pub use indexing::index;
pub use relay::relay;
pub use steps::{StepSettings, run_steps};
pub use tokio_util::sync::CancellationToken as Stop;
pub use wake::Wake;
