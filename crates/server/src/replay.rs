//! Making a read model anew from the event log: beside the one that is read, whose place it takes in
//! the end.

use std::{collections::BTreeMap, time::Duration};

use anyhow::ensure;
use archesai_organizations::{Day, OrganizationId, ports::Repository};
use archesai_platform::{
    chains::{PLATFORM, Trail},
    events::Changes,
    projections::Projection,
    system::Clock,
};
use archesai_worker::{Pass, Projector};

use crate::compose::{Database, UsageProjection};

/// How long events must stay for the days to be told that the log no longer covers whole.
pub(crate) const A_DAY: Duration = Duration::from_hours(24);

/// What making usage anew came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// How many events were read.
    pub(crate) events: usize,
    /// Of how many organizations earlier days keep their figures.
    pub(crate) kept: usize,
}

/// Makes usage anew, and tells after each piece how many events were read and of which day the last
/// one was. Days that the log does not cover whole, because events have had their time, keep their
/// figures.
///
/// # Errors
///
/// If the database fails, or somebody else begins to do the same.
pub(crate) async fn usage(
    database: &Database,
    clock: &impl Clock,
    mut tell: impl FnMut(usize, Day),
) -> anyhow::Result<Replayed> {
    let store = database.organizations_store();
    let begun = store.begin_tally().await?;
    let id = begun.id;
    let beside = UsageProjection::beside(database.organizations_store(), begun);
    let mut beside = Projector::new(database.changes(), beside);
    let events = read_all(&mut beside, &mut tell).await?;
    // What is kept must not lack what the new tally takes for counted.
    let read = UsageProjection::new(database.organizations_store());
    let mut read = Projector::new(database.changes(), read);
    read_all(&mut read, &mut |_, _| {}).await?;
    let kept = kept(&database.trail(), Day::of(clock.now())).await?;
    ensure!(
        store.switch_tally(id, &kept).await?,
        "another replay of usage was begun, and this one ends for it; nothing is changed"
    );
    Ok(Replayed {
        events,
        kept: kept.len(),
    })
}

/// Reads the log to its end. Answers how many events that were.
async fn read_all<L: Changes, P: Projection>(
    projector: &mut Projector<L, P>,
    tell: &mut impl FnMut(usize, Day),
) -> anyhow::Result<usize> {
    let mut read = 0;
    loop {
        let Pass {
            events,
            up_to,
            more,
        } = projector.pass().await?;
        read += events;
        if let Some(up_to) = up_to {
            tell(read, Day::of(up_to));
        }
        if !more {
            return Ok(read);
        }
    }
}

/// The organizations some of whose events were taken away, and the first day each of whose events is
/// there: the one after what is there begins, and today at the latest, since events stay for a day.
async fn kept(trail: &impl Trail, today: Day) -> anyhow::Result<BTreeMap<OrganizationId, Day>> {
    let mut kept = BTreeMap::new();
    let mut after = PLATFORM;
    while let Some(organization) = trail.next(after).await? {
        after = organization;
        let chain = trail.chain(organization).await?;
        if let Some(chain) = chain.filter(|chain| chain.base.position > 0) {
            let next = chain
                .begins_at
                .map_or(today, |begins| Day::of(begins).plus(1));
            kept.insert(OrganizationId(organization), next.min(today));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
