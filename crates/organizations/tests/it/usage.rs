//! Usage: which days are told of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archesai_organizations::{
    Clock as _, Counts, Day, Error, Figure, OrganizationId, ports::Repository as _,
};

use super::{Program, program};

const RUNS: Figure = Figure::RunsStarted;

async fn count(program: &Program, place: OrganizationId, at: SystemTime, much: i64) {
    let store = &program.organizations.store;
    let tally = store.current_tally().await.unwrap();
    let mut counts = Counts::default();
    counts.add(place, at, RUNS, much);
    assert!(store.add_usage(&tally, "mark", &counts).await.unwrap());
}

#[tokio::test]
async fn the_last_thirty_days_are_told_of_with_their_sum() {
    let program = program();
    let (place, _) = program.found().await;
    let now = program.clock.now();
    let today = Day::of(now);
    for (days, much) in [(0, 1), (29, 2), (30, 4)] {
        let at = now - Duration::from_hours(24 * days);
        count(&program, place, at, much).await;
    }
    let ask = async |from, to| program.organizations.usage(place, from, to).await.unwrap();
    let usage = ask(None, None).await;
    assert_eq!((usage.from, usage.to), (today.plus(-29), today));
    let days: Vec<_> = usage
        .days
        .iter()
        .map(|day| (day.day, day.figures[&RUNS]))
        .collect();
    assert_eq!(days, [(today.plus(-29), 2), (today, 1)]);
    assert_eq!(usage.total[&RUNS], 3);
    let usage = ask(None, Some(today.plus(-1))).await;
    assert_eq!((usage.from, usage.total[&RUNS]), (today.plus(-30), 6));
    let usage = ask(Some(today.plus(-28)), Some(today.plus(-1))).await;
    assert_eq!((usage.days, usage.total.len()), (Vec::new(), 0));
}

#[tokio::test]
async fn no_more_than_a_leap_year_is_told_of() {
    let program = program();
    let (place, _) = program.found().await;
    count(&program, place, UNIX_EPOCH, 1).await;
    let ask = async |from, to| {
        let asked = program
            .organizations
            .usage(place, Some(Day(from)), Some(Day(to)));
        asked.await.map(|usage| usage.total[&RUNS])
    };
    assert_eq!(ask(0, 365).await.unwrap(), 1);
    for (from, to) in [(0, 366), (1, 0), (i32::MIN, i32::MAX), (i32::MAX, i32::MIN)] {
        let refused = ask(from, to).await;
        let is_about_from = matches!(refused, Err(Error::Invalid { field: "from", .. }));
        assert!(is_about_from, "from {from} to {to}: {refused:?}");
    }
}
