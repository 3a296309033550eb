//! How published events and wake-ups go round within one process: all there is to it where there is
//! one node, and what hands on what comes from elsewhere where there are many.

mod events;
mod task;
mod wakeups;

pub use events::{BACKLOG, EventSubscription, Events};
pub use task::Task;
pub use wakeups::{Notes, Wakeups};
