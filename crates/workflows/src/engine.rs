//! The engine: what happens next in a run, as a pure function of its state and an event.
//!
//! A [`Machine`] is made of what is stored of a run and of the definition it
//! was started with, is told one event or several, and answers with a
//! [`Decision`]: what to write, which errors to keep, which events to record. It
//! does no I/O and knows no clock but the time it was given, so that the same
//! state, events, time and ids always give the same decision.
//!
//! The rules:
//!
//! - A step is ready as soon as every step it needs has ended, whatever the
//!   others do. One that is skipped by its own condition, or that failed under
//!   `on_error: continue`, lets the steps that need it go on with a null output.
//! - A failure under `on_error: fail` fails the run and cancels what has not
//!   ended; under `on_error: skip` the step counts as skipped, and so does every
//!   step that needs it, directly or not.
//! - A step that fans out waits for its items. Their step runs come into being
//!   in order, as many at once as `concurrency` allows. An item that fails under
//!   `continue` leaves a null in the output; under `fail` or `skip` it brings the
//!   step to that end at once and the other items are cancelled. An empty list
//!   succeeds with an empty output.
//! - Only an error that another attempt may not meet is retried, under the
//!   step's `retry` or else under [`Policy::retry`]; any other ends the step at once.
//! - A step whose worker was lost goes to another without using up an attempt,
//!   and fails with the code `worker_lost` when [`Policy::max_crashes`] workers
//!   were lost with it.
//! - A run is `waiting` while all that is left of it is delayed. A fan-out
//!   counts as under way even when all its items are delayed.
//! - Progress is the share of steps that ended, a fan-out counting by its items.

mod backoff;
mod decision;
mod event;
mod machine;
mod policy;
mod settle;
mod state;
mod transitions;

pub use decision::Decision;
pub use event::{Refused, StepEvent};
pub use machine::Machine;
pub use policy::Policy;
pub use state::{Changes, Claim, Items, Lease, OVERSLEPT, RunRow, RunState, StepRow};
