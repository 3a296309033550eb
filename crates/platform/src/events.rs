//! The event log as its readers see it: an outbox to publish from, and a
//! history to read. Domains append to it through their own repositories, in the
//! transaction that changed the state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    chains::{Chain, Extension},
};

/// One entry of the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Its place in the log: grows by commit order within an aggregate, may have gaps.
    pub sequence: i64,
    /// Identifies the event; what consumers deduplicate by (`UUIDv7`).
    pub id: u128,
    /// The tenant it belongs to, if any.
    pub organization_id: Option<u128>,
    /// The user who brought it about, if any.
    pub actor_id: Option<u128>,
    /// What kind of thing it happened to, such as `run`.
    pub aggregate_kind: String,
    /// Which one.
    pub aggregate_id: u128,
    /// What happened, such as `run.started`.
    pub kind: String,
    /// The event as JSON, its `type` being `kind`.
    pub payload: String,
    /// When.
    pub occurred_at: SystemTime,
}

/// How far somebody has read the log; at first, not at all. What it says is for the log alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Everything that was committed below it is known.
    pub floor: i64,
    /// What is known from it on: the places of events, and what the floor is compared with.
    pub known: BTreeMap<i64, i64>,
}

/// What somebody is told of the log at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What happened.
    pub events: Vec<LoggedEvent>,
    /// How far that goes.
    pub mark: Mark,
    /// Whether that was all there was.
    pub is_last: bool,
}

/// The event log as whoever publishes it sees it.
pub trait Outbox: Send + Sync + 'static {
    /// The oldest events that are not marked as published, in the order of the
    /// log, but for those at the places `known`, which this told of before.
    fn unpublished(
        &self,
        known: &BTreeSet<i64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LoggedEvent>>> + Send;

    /// Waits until something may have been appended. A hint that may never
    /// come: whoever waits also looks by themselves from time to time.
    fn appended(&self) -> impl Future<Output = ()> + Send;

    /// The chains of some organizations, as far as there are any.
    fn chains(
        &self,
        organizations: &BTreeSet<u128>,
    ) -> impl Future<Output = Result<Vec<Chain>>> + Send;

    /// Marks events as published and gives them their places in their chains: all of it takes
    /// effect, or nothing. Answers `false` if it does not, since a chain is not any more as it was
    /// or an event is marked already: somebody else was faster.
    fn mark_published(&self, extension: &Extension) -> impl Future<Output = Result<bool>> + Send;

    /// Takes the right to publish for some time, or keeps it. Answers whether `node` has it: of
    /// all nodes one at a time does.
    fn lead(&self, node: u128, lease: Duration) -> impl Future<Output = Result<bool>> + Send;

    /// Gives the right to publish up, if the node has it, so that another can take it at once.
    fn resign(&self, node: u128) -> impl Future<Output = Result<()>> + Send;
}

/// The event log as whoever follows it sees it, to forget what changed or to count what happened.
pub trait Changes: Send + Sync + 'static {
    /// How far the log goes at the moment.
    fn mark(&self) -> impl Future<Output = Result<Mark>> + Send;

    /// What happened to aggregates of some kinds since a mark, no more than `limit` events of it.
    /// Who goes on from the mark of each piece to the last one has been told of whatever was
    /// committed before they began, each event once. Within a piece those of an aggregate are in
    /// their order; from one piece to the next they need not be.
    fn since(
        &self,
        mark: Mark,
        kinds: &[&str],
        limit: u32,
    ) -> impl Future<Output = Result<Piece>> + Send;
}

/// The event log as a history.
pub trait History: Send + Sync + 'static {
    /// The events of one aggregate of a tenant after a place in the log, in order.
    fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LoggedEvent>>> + Send;
}

/// Tells subscribers of published events, on this node or on all.
pub trait Publisher: Send + Sync + 'static {
    /// Publishes an event: at least once, in order within an aggregate.
    fn publish(&self, event: &LoggedEvent) -> impl Future<Output = Result<()>> + Send;
}

impl<P: Publisher> Publisher for Arc<P> {
    fn publish(&self, event: &LoggedEvent) -> impl Future<Output = Result<()>> + Send {
        (**self).publish(event)
    }
}

/// Hears of published events.
pub trait Subscriber: Send + Sync + 'static {
    /// One subscription.
    type Subscription: Subscription;

    /// Begins to listen: every event published from now on arrives, or the
    /// subscription says that it missed some.
    fn subscribe(&self) -> Self::Subscription;
}

/// A stream of published events.
pub trait Subscription: Send + 'static {
    /// Waits for the next event. `None` says that some were missed because the
    /// listener was slow: what they would have told must be read anew.
    fn next(&mut self) -> impl Future<Output = Option<LoggedEvent>> + Send;
}
