//! Checking the event log: that nothing in its chains was changed, removed, added or moved.
//!
//! It goes along one chain after the other, a page at a time, while servers append to them and take
//! away what has had its time.

mod kept;

use std::collections::BTreeSet;

use archesai_platform::{
    Result,
    chains::{Chain, Fault, PLATFORM, Place, Record, Trail, Walk},
    vault::Vault,
};

pub use kept::{Head, InvalidHead};

/// How many records are read at once.
const PAGE: u32 = 1_000;

/// After how many records it tells how far it is.
const STRIDE: i64 = 100_000;

/// What comes to light about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// So many of its records were checked so far.
    Checked(i64),
    /// All of it is as it was recorded.
    Holds {
        /// What was taken away in its time ends here.
        base: Place,
        /// What is there ends here.
        head: Place,
        /// The position of a head that was kept elsewhere and is of what was taken away since.
        outlived: Option<i64>,
    },
    /// It is not as it was recorded.
    Broken {
        /// Where it begins not to be, unless that is nowhere in the chain.
        position: Option<i64>,
        /// The event there, if there is one.
        event: Option<u128>,
        /// What is wrong.
        fault: Fault,
    },
}

/// What checking all chains came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many chains hold.
    pub whole: u64,
    /// How many do not.
    pub broken: u64,
    /// How many events are in the chains that hold.
    pub events: u64,
    /// How many events are in no chain yet, since they are not published yet.
    pub pending: u64,
}

/// A check of the event log.
pub struct Audit<'a, T> {
    /// The log.
    pub trail: &'a T,
    /// Has the key that it is chained with.
    pub vault: &'a dyn Vault,
    /// Heads of chains that were kept elsewhere.
    pub kept: &'a [Head],
}

impl<T: Trail> Audit<'_, T> {
    /// Checks every chain, and tells of each what was found.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub async fn run(&self, mut tell: impl FnMut(u128, &Finding)) -> Result<Summary> {
        let mut summary = Summary::default();
        let mut expected: BTreeSet<u128> = self.kept.iter().map(|head| head.organization).collect();
        let mut at = Some(PLATFORM);
        while let Some(organization) = at {
            expected.remove(&organization);
            if let Some(found) = self.check(organization, &mut tell).await? {
                summary.count(&found);
                tell(organization, &found);
            }
            at = self.trail.next(organization).await?;
        }
        for organization in expected {
            let found = self.lost(organization);
            summary.count(&found);
            tell(organization, &found);
        }
        summary.pending = self.trail.pending().await?;
        Ok(summary)
    }

    /// Checks the chain of an organization, if it has one or should.
    async fn check(
        &self,
        organization: u128,
        tell: &mut impl FnMut(u128, &Finding),
    ) -> Result<Option<Finding>> {
        let mut chain = self.trail.chain(organization).await?;
        loop {
            let found = self.go_along(organization, chain.as_ref(), tell).await?;
            let Some(Finding::Broken { .. }) = found else {
                return Ok(found);
            };
            // The chain may have begun meanwhile, or begun later: what is missing had its time.
            let now = self.trail.chain(organization).await?;
            let base = |chain: &Option<Chain>| chain.as_ref().map(|chain| chain.base);
            if base(&now) == base(&chain) {
                return Ok(found);
            }
            chain = now;
        }
    }

    async fn go_along(
        &self,
        organization: u128,
        chain: Option<&Chain>,
        tell: &mut impl FnMut(u128, &Finding),
    ) -> Result<Option<Finding>> {
        let base = chain.map_or_else(Place::default, |chain| chain.base);
        let head = chain.map_or_else(Place::default, |chain| chain.head);
        let mut walk = Walk::after(self.vault, base);
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let records = self.trail.records(organization, after, PAGE).await?;
            for record in &records {
                if record.position > head.position {
                    if self.is_in_chain(organization, record).await? {
                        return self.end(organization, chain, walk.place()).await;
                    }
                    return Ok(Some(at(record, Fault::Beyond)));
                }
                if let Some(fault) = walk.step(record)? {
                    return Ok(Some(at(record, fault)));
                }
                if !self.is_as_kept(organization, walk.place()) {
                    return Ok(Some(at(record, Fault::NotKept)));
                }
                if record.position % STRIDE == 0 {
                    tell(organization, &Finding::Checked(record.position));
                }
            }
            match records.last() {
                Some(last) => after = (last.position, last.event.sequence),
                None => return self.end(organization, chain, walk.place()).await,
            }
        }
    }

    /// Whether the chain goes as far by now as a record that stood behind its end.
    async fn is_in_chain(&self, organization: u128, record: &Record) -> Result<bool> {
        let now = self.trail.chain(organization).await?;
        Ok(now.is_some_and(|chain| chain.head.position >= record.position))
    }

    /// What remains to be said of a chain whose records follow each other up to a place.
    async fn end(
        &self,
        organization: u128,
        chain: Option<&Chain>,
        place: Place,
    ) -> Result<Option<Finding>> {
        let broken = |position, fault| {
            Ok(Some(Finding::Broken {
                position: Some(position),
                event: None,
                fault,
            }))
        };
        if let Some(chain) = chain {
            if place.position < chain.head.position {
                return broken(place.position + 1, Fault::CutOff);
            }
            if place != chain.head || !chain.is_whole(self.vault)? {
                return broken(chain.head.position, Fault::Unsealed);
            }
        }
        let base = chain.map_or_else(Place::default, |chain| chain.base);
        let of_base = self.is_as_kept(organization, base);
        if !of_base {
            return broken(base.position, Fault::NotKept);
        }
        let kept = || self.kept_of(organization).map(|head| head.place.position);
        if let Some(later) = kept().find(|position| *position > place.position) {
            return broken(later, Fault::NotKept);
        }
        if let Some(event) = self.trail.loose(organization).await? {
            return Ok(Some(Finding::Broken {
                position: None,
                event: Some(event.id),
                fault: Fault::Loose,
            }));
        }
        Ok(chain.map(|chain| Finding::Holds {
            base: chain.base,
            head: chain.head,
            outlived: kept().find(|position| *position < base.position),
        }))
    }

    fn kept_of(&self, organization: u128) -> impl Iterator<Item = &Head> {
        let is_of_it = move |head: &&Head| head.organization == organization;
        self.kept.iter().filter(is_of_it)
    }

    /// Whether what was kept of a position, if anything, is what is found there.
    fn is_as_kept(&self, organization: u128, found: Place) -> bool {
        let mut kept = self.kept_of(organization);
        kept.all(|head| head.place.position != found.position || head.place == found)
    }

    /// What there is to say of a chain of which nothing is left but a head that was kept.
    fn lost(&self, organization: u128) -> Finding {
        let kept = self.kept_of(organization);
        Finding::Broken {
            position: kept.map(|head| head.place.position).min(),
            event: None,
            fault: Fault::NotKept,
        }
    }
}

impl Summary {
    fn count(&mut self, found: &Finding) {
        match found {
            Finding::Checked(_) => {}
            Finding::Holds { base, head, .. } => {
                self.whole += 1;
                self.events += (head.position - base.position).unsigned_abs();
            }
            Finding::Broken { .. } => self.broken += 1,
        }
    }
}

fn at(record: &Record, fault: Fault) -> Finding {
    Finding::Broken {
        position: Some(record.position),
        event: Some(record.event.id),
        fault,
    }
}
