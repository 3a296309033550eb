//! The tallies of usage, in memory.

use std::collections::BTreeMap;

use archesai_organizations::{Counts, DailyUsage, Day, Figure, OrganizationId, Tally};

/// Every tally, and which of them is read.
#[derive(Clone)]
pub(super) struct Tallies {
    all: BTreeMap<i64, Rows>,
    read: i64,
    /// The last one that was begun.
    last: i64,
}

#[derive(Clone, Default)]
struct Rows {
    mark: String,
    amounts: BTreeMap<(OrganizationId, Day, Figure), i64>,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            all: BTreeMap::from([(1, Rows::default())]),
            read: 1,
            last: 1,
        }
    }
}

impl Tallies {
    pub(super) fn list(&self, place: OrganizationId, from: Day, to: Day) -> Vec<DailyUsage> {
        let rows = self.all[&self.read].amounts.iter();
        let ours = rows.filter(|((whose, day, _), _)| *whose == place && (from..=to).contains(day));
        DailyUsage::by_day(ours.map(|(&(_, day, figure), &amount)| (day, figure, amount)))
    }

    pub(super) fn current(&self) -> Tally {
        Tally {
            id: self.read,
            mark: self.all[&self.read].mark.clone(),
        }
    }

    pub(super) fn begin(&mut self) -> Tally {
        self.all.retain(|id, _| *id == self.read);
        self.last += 1;
        self.all.insert(self.last, Rows::default());
        Tally {
            id: self.last,
            mark: String::new(),
        }
    }

    /// Adds what was counted of organizations that there are.
    pub(super) fn add(
        &mut self,
        tally: &Tally,
        mark: &str,
        counts: &Counts,
        is_there: impl Fn(OrganizationId) -> bool,
    ) -> bool {
        let found = self.all.get_mut(&tally.id);
        let Some(rows) = found.filter(|rows| rows.mark == tally.mark) else {
            return false;
        };
        mark.clone_into(&mut rows.mark);
        for (place, day, figure, amount) in counts.iter().filter(|counted| is_there(counted.0)) {
            *rows.amounts.entry((place, day, figure)).or_default() += amount;
        }
        true
    }

    pub(super) fn switch(&mut self, id: i64, kept: &BTreeMap<OrganizationId, Day>) -> bool {
        if id == self.read || !self.all.contains_key(&id) {
            return false;
        }
        let old = self.all.remove(&self.read).unwrap_or_default();
        let new = self.all.entry(id).or_default();
        let is_kept = |place, day| kept.get(&place).is_some_and(|first| day < *first);
        new.amounts
            .retain(|(place, day, _), _| !is_kept(*place, *day));
        let old = old.amounts.into_iter();
        new.amounts
            .extend(old.filter(|((place, day, _), _)| is_kept(*place, *day)));
        self.read = id;
        true
    }

    /// Forgets what an organization did.
    pub(super) fn forget(&mut self, place: OrganizationId) {
        for rows in self.all.values_mut() {
            rows.amounts.retain(|(whose, _, _), _| *whose != place);
        }
    }
}
