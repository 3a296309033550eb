//! Making links: what comes next in a chain, and what vouches for its ends.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Chain, Extension, Link, PLATFORM, Place, Step};
use crate::{Result, events::LoggedEvent, vault::Vault};

/// What digests of links are for, and of seals: none of them is good for the other.
const LINK: &[u8] = b"link of the event log";
const SEAL: &[u8] = b"seal of an event chain";

/// The seal of a chain that is broken: no digest, so that it stays broken.
const BROKEN: [u8; 32] = [0; 32];

impl Extension {
    /// Adds events in their order to the chains of their organizations, of which some may not be
    /// there yet. What is added to a chain that somebody tampered with does not mend it.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn new<'e>(
        vault: &dyn Vault,
        chains: Vec<Chain>,
        events: impl IntoIterator<Item = &'e LoggedEvent>,
    ) -> Result<Self> {
        let steps = chains.into_iter().map(|was| (was.organization, was.into()));
        let mut steps: BTreeMap<u128, Step> = steps.collect();
        let mut links = Vec::new();
        for event in events {
            let organization = event.organization_id.unwrap_or(PLATFORM);
            let step = steps.entry(organization);
            let step = step.or_insert_with(|| Step::first(organization));
            let sequence = event.sequence;
            let place = step.becomes.append(vault, event)?;
            links.push(Link { sequence, place });
        }
        let steps = steps.into_values().map(|step| step.sealed(vault));
        Ok(Self {
            links,
            steps: steps.collect::<Result<_>>()?,
        })
    }

    /// Whose chains are broken, and were not before.
    pub fn broken(&self) -> impl Iterator<Item = u128> {
        let is_new = |step: &&Step| step.was.as_ref().is_none_or(|was| !was.is_broken());
        let broken = self.steps.iter().filter(|step| step.becomes.is_broken());
        broken.filter(is_new).map(|step| step.becomes.organization)
    }
}

impl From<Chain> for Step {
    fn from(was: Chain) -> Self {
        Self {
            becomes: was.clone(),
            was: Some(was),
        }
    }
}

impl Step {
    /// The beginning of a chain.
    fn first(organization: u128) -> Self {
        Self {
            was: None,
            becomes: Chain {
                organization,
                base: Place::default(),
                head: Place::default(),
                begins_at: None,
                seal: BROKEN,
            },
        }
    }

    /// Lets a chain begin later, after a record of it that goes with all before it.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn begin_after(
        vault: &dyn Vault,
        was: Chain,
        base: Place,
        begins_at: Option<SystemTime>,
    ) -> Result<Self> {
        let mut step = Self::from(was);
        step.becomes.base = base;
        step.becomes.begins_at = begins_at;
        step.sealed(vault)
    }

    /// Gives a chain up in which something was found that should not be.
    pub fn break_off(was: Chain) -> Self {
        let mut step = Self::from(was);
        step.becomes.seal = BROKEN;
        step
    }

    /// Whether the chain begins later than it did.
    pub fn trims(&self) -> bool {
        let base = self.was.as_ref().map_or(0, |was| was.base.position);
        self.becomes.base.position > base
    }

    /// Seals what it becomes, unless what it was is not sealed.
    fn sealed(mut self, vault: &dyn Vault) -> Result<Self> {
        let was_whole = match &self.was {
            Some(was) => was.is_whole(vault)?,
            None => true,
        };
        self.becomes.seal = if was_whole {
            self.becomes.seal_of(vault)?
        } else {
            BROKEN
        };
        Ok(self)
    }
}

impl Chain {
    /// Whether its base and its head are where the holder of the key has set them.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn is_whole(&self, vault: &dyn Vault) -> Result<bool> {
        Ok(self.seal == self.seal_of(vault)?)
    }

    /// Whether it was given up as broken.
    pub fn is_broken(&self) -> bool {
        self.seal == BROKEN
    }

    fn append(&mut self, vault: &dyn Vault, event: &LoggedEvent) -> Result<Place> {
        if self.head == self.base {
            self.begins_at = Some(event.occurred_at);
        }
        self.head = self.head.followed_by(vault, event)?;
        Ok(self.head)
    }

    fn seal_of(&self, vault: &dyn Vault) -> Result<[u8; 32]> {
        let mut bytes = self.organization.to_be_bytes().to_vec();
        for place in [self.base, self.head] {
            bytes.extend(place.position.to_be_bytes());
            bytes.extend(place.mac);
        }
        if let Some(time) = self.begins_at {
            bytes.extend(micros(time).to_be_bytes());
        }
        vault.mac(SEAL, &bytes)
    }
}

impl Place {
    /// The place of an event that comes next.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn followed_by(&self, vault: &dyn Vault, event: &LoggedEvent) -> Result<Self> {
        let position = self.position.saturating_add(1);
        let mut bytes = self.mac.to_vec();
        bytes.extend(position.to_be_bytes());
        write(event, &mut bytes);
        Ok(Self {
            position,
            mac: vault.mac(LINK, &bytes)?,
        })
    }
}

/// Writes down all that an event says, each part after its length: no two events look the same.
fn write(event: &LoggedEvent, bytes: &mut Vec<u8>) {
    let mut part = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    };
    let mut id = |id: Option<u128>| match id {
        Some(id) => part(&id.to_be_bytes()),
        None => part(&[]),
    };
    id(Some(event.id));
    id(event.organization_id);
    id(event.actor_id);
    id(Some(event.aggregate_id));
    part(&event.sequence.to_be_bytes());
    part(event.aggregate_kind.as_bytes());
    part(event.kind.as_bytes());
    part(event.payload.as_bytes());
    part(&micros(event.occurred_at).to_be_bytes());
}

/// Microseconds since the Unix epoch, which is what databases keep.
fn micros(time: SystemTime) -> i128 {
    let whole = |micros: u128| i128::try_from(micros).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since.as_micros()),
        Err(before) => -whole(before.duration().as_micros()),
    }
}

#[cfg(test)]
mod tests;
