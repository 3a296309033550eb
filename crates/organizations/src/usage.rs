//! What organizations did, day by day, as counted from the event log.

use std::{
    collections::BTreeMap,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Figure, OrganizationId};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// A day in UTC, by how many days it comes after 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day of a moment.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let days = since.as_secs() / SECONDS_A_DAY;
        Self(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// The day so many days later.
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    /// Writes it as in ISO 8601, by `civil_from_days` of Howard Hinnant's
    /// "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have 400 of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i64::from(self.0) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, is_next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        write!(f, "{:04}-{month:02}-{day:02}", year + era * 400 + is_next)
    }
}

/// How much of each was done; what was not done is not in it.
pub type Figures = BTreeMap<Figure, i64>;

/// What was done on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUsage {
    /// The day.
    pub day: Day,
    /// How much of each.
    pub figures: Figures,
}

impl DailyUsage {
    /// Puts together what was done on each day, in order.
    pub fn by_day(rows: impl IntoIterator<Item = (Day, Figure, i64)>) -> Vec<Self> {
        let mut days: BTreeMap<Day, Figures> = BTreeMap::new();
        for (day, figure, much) in rows {
            *days.entry(day).or_default().entry(figure).or_default() += much;
        }
        let of_day = |(day, figures)| Self { day, figures };
        days.into_iter().map(of_day).collect()
    }
}

/// What was done in some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The first of them.
    pub from: Day,
    /// The last of them.
    pub to: Day,
    /// Those on which something was done, in order.
    pub days: Vec<DailyUsage>,
    /// How much of each in all.
    pub total: Figures,
}

/// A reading of the event log in which usage is counted. Organizations see one; another can be made
/// beside it and take its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Identity; never reused.
    pub id: i64,
    /// How far the log was read, in the words of whoever reads it; empty at the beginning.
    pub mark: String,
}

/// What is to be added to a tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(OrganizationId, Day, Figure), i64>);

impl Counts {
    /// Counts what an organization did at a moment.
    pub fn add(&mut self, organization: OrganizationId, at: SystemTime, figure: Figure, much: i64) {
        if much > 0 {
            let key = (organization, Day::of(at), figure);
            *self.0.entry(key).or_default() += much;
        }
    }

    /// How much of what was done where and when.
    pub fn iter(&self) -> impl Iterator<Item = (OrganizationId, Day, Figure, i64)> {
        let all = self.0.iter();
        all.map(|(&(organization, day, figure), &much)| (organization, day, figure, much))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_are_written_as_people_do() {
        for (day, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_453, "2025-12-31"),
            (20_454, "2026-01-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Day(day).to_string(), text);
        }
    }

    #[test]
    fn a_day_is_that_of_utc() {
        let midnight = UNIX_EPOCH + Duration::from_hours(48);
        assert_eq!(Day::of(midnight), Day(2));
        assert_eq!(Day::of(midnight - Duration::from_nanos(1)), Day(1));
        assert_eq!(Day::of(midnight + Duration::from_hours(23)), Day(2));
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_hours(1)), Day(0));
    }

    #[test]
    fn counts_of_a_day_add_up() {
        let mut counts = Counts::default();
        let (one, other) = (OrganizationId(1), OrganizationId(2));
        let noon = UNIX_EPOCH + Duration::from_hours(36);
        for (place, at, much) in [(one, noon, 2), (one, noon + Duration::from_hours(11), 3)] {
            counts.add(place, at, Figure::BytesStored, much);
        }
        counts.add(one, noon + Duration::from_hours(12), Figure::BytesStored, 5);
        counts.add(other, noon, Figure::BytesStored, 7);
        counts.add(other, noon, Figure::BytesFreed, 0);
        let all: Vec<_> = counts.iter().collect();
        let stored = |place, day, much| (place, Day(day), Figure::BytesStored, much);
        assert_eq!(
            all,
            [stored(one, 1, 5), stored(one, 2, 5), stored(other, 1, 7)]
        );
    }
}
