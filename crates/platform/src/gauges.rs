//! What an operator wants to know of a database: what waits in it, and how busy its
//! connections are.

use std::time::SystemTime;

/// Things that wait to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u32,
    /// Since when the oldest of them does.
    pub since: Option<SystemTime>,
}

/// What waits in a database, of all tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Steps that could run.
    pub steps: Waiting,
    /// Artifacts that could be indexed.
    pub artifacts: Waiting,
    /// Events that are not marked as published.
    pub events: Waiting,
}

/// The connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// What they are for.
    pub pool: &'static str,
    /// How many are in use.
    pub busy: u32,
    /// How many are not.
    pub free: u32,
}
