//! Read models: what is kept for reading, and follows from what happened.

use crate::{
    Result,
    events::{LoggedEvent, Mark},
};

/// A read model that is made from the event log.
///
/// What it takes in and how far the log was read change in one transaction: whoever is killed leaves
/// both as they were, and of several who take in the same one succeeds. So each event counts once.
pub trait Projection: Send + Sync + 'static {
    /// How far the log was read, as the read model keeps it.
    type Checkpoint: Clone + PartialEq + Send + Sync;

    /// What it is called.
    const NAME: &'static str;

    /// The kinds of things whose events it is made from.
    const KINDS: &'static [&'static str];

    /// How far the log was read.
    fn checkpoint(&self) -> impl Future<Output = Result<(Self::Checkpoint, Mark)>> + Send;

    /// Takes events in and moves the checkpoint to a mark, if it is still at `from`; otherwise
    /// nothing happens. Answers whether it did.
    fn take_in(
        &self,
        events: &[LoggedEvent],
        from: &Self::Checkpoint,
        to: &Mark,
    ) -> impl Future<Output = Result<bool>> + Send;
}
