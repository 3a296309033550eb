//! Checking links: going along a chain from one record to the next.

use std::{cmp::Ordering, fmt};

use super::{Place, Record};
use crate::{Result, vault::Vault};

/// What is wrong with a chain at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The event there is not the one that was recorded there.
    Changed,
    /// What stands there should come later: something before it is not there.
    Missing,
    /// What stands there has no place left: another has it, or had it before it was taken away.
    Surplus,
    /// The chain goes on after it, but no records do.
    CutOff,
    /// It stands behind the end of its chain.
    Beyond,
    /// It is marked as published, but stands in no chain.
    Loose,
    /// Base or head were set by somebody without the key, or something was wrong with the chain before
    /// it went on.
    Unsealed,
    /// The head that was kept elsewhere is not in the chain.
    NotKept,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "it is not the event that was recorded there",
            Self::Missing => "one or more events before it are missing",
            Self::Surplus => "it was put where another event is or was",
            Self::CutOff => "the events from there on are missing",
            Self::Beyond => "it was put behind the end of the chain",
            Self::Loose => "it is marked as published, but stands in no chain",
            Self::Unsealed => "the ends of the chain are not where they were set",
            Self::NotKept => "the kept head is not in the chain: it was set back or made anew",
        })
    }
}

/// Goes along a chain.
pub struct Walk<'v> {
    vault: &'v dyn Vault,
    place: Place,
}

impl<'v> Walk<'v> {
    /// Begins behind a place.
    pub fn after(vault: &'v dyn Vault, place: Place) -> Self {
        Self { vault, place }
    }

    /// How far it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Goes to the next record, or says what is wrong with it and stays.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn step(&mut self, record: &Record) -> Result<Option<Fault>> {
        let next = self.place.followed_by(self.vault, &record.event)?;
        Ok(match record.position.cmp(&next.position) {
            Ordering::Less => Some(Fault::Surplus),
            Ordering::Greater => Some(Fault::Missing),
            Ordering::Equal if record.mac != next.mac => Some(Fault::Changed),
            Ordering::Equal => {
                self.place = next;
                None
            }
        })
    }
}
