//! The event log as an audit trail: what was published is chained, organization by organization.
//!
//! Each record is linked to the one before it by a digest that takes a key of the vault's. Who can
//! write to the database but has no key can change, remove, add and move nothing in a chain unnoticed.
//! Here is how links are made and checked; those who keep them only keep them.

mod links;
mod walk;

use std::time::SystemTime;

pub use walk::{Fault, Walk};

use crate::{Result, events::LoggedEvent};

/// Whose chain it is that holds what belongs to no organization.
pub const PLATFORM: u128 = 0;

/// A place in a chain. The default is the one before the first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// How many records there are up to it, with itself.
    pub position: i64,
    /// What links the record there to all before it.
    pub mac: [u8; 32],
}

/// A chain, but for its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whose it is: an organization's, or [`PLATFORM`].
    pub organization: u128,
    /// The last record of those that were taken away after their time. What is there follows it.
    pub base: Place,
    /// The last record.
    pub head: Place,
    /// When the first of the records that are there happened.
    pub begins_at: Option<SystemTime>,
    /// Vouches for all this, which would be easy to set otherwise.
    pub seal: [u8; 32],
}

/// The place that an event was given in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which event, by its place in the log.
    pub sequence: i64,
    /// Where in its chain it stands.
    pub place: Place,
}

/// How a chain goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The chain as it was, if there was one.
    pub was: Option<Chain>,
    /// The chain as it is to be.
    pub becomes: Chain,
}

/// What some events add to their chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// The places of the events.
    pub links: Vec<Link>,
    /// How the chains go on.
    pub steps: Vec<Step>,
}

/// A record of a chain, as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: LoggedEvent,
    /// Where in the chain it says that it stands.
    pub position: i64,
    /// What it says links it to those before it.
    pub mac: Vec<u8>,
}

/// The event log as whoever audits it sees it, and whoever takes away what has had its time.
pub trait Trail: Send + Sync + 'static {
    /// The least organization after another that has a chain, or anything in the log.
    fn next(&self, after: u128) -> impl Future<Output = Result<Option<u128>>> + Send;

    /// The chain of an organization, if it has one.
    fn chain(&self, organization: u128) -> impl Future<Output = Result<Option<Chain>>> + Send;

    /// The records of an organization that stand in a chain, by position and sequence, after a
    /// position and sequence. Whatever position they claim: none, or one that is taken, too.
    fn records(
        &self,
        organization: u128,
        after: (i64, i64),
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Record>>> + Send;

    /// The first event of an organization that is marked as published and stands in no chain, which
    /// nothing brings about but somebody who goes behind the log.
    fn loose(&self, organization: u128)
    -> impl Future<Output = Result<Option<LoggedEvent>>> + Send;

    /// How many events are not published yet, and so in no chain either.
    fn pending(&self) -> impl Future<Output = Result<u64>> + Send;

    /// Chains whose first record happened before a time, those first that begin earliest. Broken
    /// ones are left out.
    fn begun_before(
        &self,
        time: SystemTime,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Chain>>> + Send;

    /// Lets a chain go on as a step says, and if it begins later takes away the records up to its
    /// new base: both or nothing. Answers `false` and changes nothing if the chain is not any more as it was.
    fn trim(&self, step: &Step) -> impl Future<Output = Result<bool>> + Send;
}
