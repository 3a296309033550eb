//! What a store promises of usage: the days it tells of, and the tallies they are counted in.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use archesai_organizations::{
    Counts, DailyUsage, Day, Figure, OrganizationId, Tally, ports::Store,
};
use futures_util::future::join_all;

use super::stored;
use crate::fresh;

/// Long before anything happens.
const FIRST: Day = Day(0);
const LAST: Day = Day(100_000);

/// What organizations did: where, on which day, how much of what.
fn counts(all: &[(OrganizationId, i32, Figure, i64)]) -> Counts {
    let mut counts = Counts::default();
    for &(place, day, figure, much) in all {
        let hours = u64::try_from(day).unwrap() * 24 + 23;
        counts.add(
            place,
            UNIX_EPOCH + Duration::from_hours(hours),
            figure,
            much,
        );
    }
    counts
}

fn on(day: i32, figures: &[(Figure, i64)]) -> DailyUsage {
    DailyUsage {
        day: Day(day),
        figures: figures.iter().copied().collect(),
    }
}

async fn told(store: &impl Store, place: OrganizationId) -> Vec<DailyUsage> {
    store.list_usage(place, FIRST, LAST).await.unwrap()
}

/// A mark that nothing has yet.
fn mark() -> String {
    fresh().to_string()
}

/// Adds to a tally, and answers it as it is then.
async fn added(store: &impl Store, tally: &Tally, counts: &Counts) -> Tally {
    let mark = mark();
    assert!(store.add_usage(tally, &mark, counts).await.unwrap());
    Tally { mark, ..*tally }
}

/// Runs every check. Nobody else may count in the store meanwhile.
pub async fn suite(store: &impl Store) {
    what_was_done_is_told_by_the_day(store).await;
    each_sees_what_it_did(store).await;
    what_is_counted_by_many_counts_once(store).await;
    what_no_organization_did_is_left_out(store).await;
    a_tally_takes_the_place_of_another(store).await;
    a_tally_is_begun_in_place_of_others(store).await;
}

async fn what_was_done_is_told_by_the_day(store: &impl Store) {
    let place = stored(store).await.id;
    let (runs, bytes) = (Figure::RunsStarted, Figure::BytesStored);
    let tally = store.current_tally().await.unwrap();
    let large = i64::from(u32::MAX) * 1_000;
    let first = counts(&[(place, 12, runs, 2), (place, 10, bytes, large)]);
    let tally = added(store, &tally, &first).await;
    assert_eq!(store.current_tally().await.unwrap(), tally);
    let second = counts(&[
        (place, 12, runs, 3),
        (place, 12, bytes, 1),
        (place, 13, runs, 1),
    ]);
    let tally = added(store, &tally, &second).await;
    added(store, &tally, &Counts::default()).await;
    let days = [
        on(10, &[(bytes, large)]),
        on(12, &[(runs, 5), (bytes, 1)]),
        on(13, &[(runs, 1)]),
    ];
    assert_eq!(told(store, place).await, days);
    let between = async |from, to| store.list_usage(place, Day(from), Day(to)).await.unwrap();
    assert_eq!(between(10, 12).await, days[..2]);
    assert_eq!(between(11, 12).await, days[1..2]);
    assert_eq!(between(11, 11).await, []);
}

async fn each_sees_what_it_did(store: &impl Store) {
    let (here, there) = (stored(store).await.id, stored(store).await.id);
    let tally = store.current_tally().await.unwrap();
    let both = [
        (here, 1, Figure::RunsFailed, 1),
        (there, 1, Figure::RunsFailed, 2),
    ];
    added(store, &tally, &counts(&both)).await;
    assert_eq!(told(store, here).await, [on(1, &[(Figure::RunsFailed, 1)])]);
    assert_eq!(
        told(store, there).await,
        [on(1, &[(Figure::RunsFailed, 2)])]
    );
    assert_eq!(told(store, OrganizationId(fresh())).await, []);
}

async fn what_is_counted_by_many_counts_once(store: &impl Store) {
    let place = stored(store).await.id;
    let mut tally = store.current_tally().await.unwrap();
    let one = counts(&[(place, 1, Figure::StepsFinished, 1)]);
    for round in 1..=5 {
        let marks: Vec<String> = (0..8).map(|_| mark()).collect();
        let adding = marks.iter().map(|mark| store.add_usage(&tally, mark, &one));
        let outcomes = join_all(adding).await.into_iter().map(Result::unwrap);
        let winners: Vec<_> = marks.iter().zip(outcomes).filter(|(_, won)| *won).collect();
        let [(mark, _)] = winners[..] else {
            panic!("{} of them added", winners.len());
        };
        tally.mark.clone_from(mark);
        assert_eq!(store.current_tally().await.unwrap(), tally);
        let days = [on(1, &[(Figure::StepsFinished, round)])];
        assert_eq!(told(store, place).await, days);
    }
}

async fn what_no_organization_did_is_left_out(store: &impl Store) {
    let (place, gone) = (stored(store).await.id, stored(store).await.id);
    let nobody = OrganizationId(fresh());
    let of = |place| (place, 1, Figure::ArtifactsDeleted, 1);
    let tally = store.current_tally().await.unwrap();
    let tally = added(store, &tally, &counts(&[of(gone)])).await;
    assert!(store.delete_organization(gone).await.unwrap());
    assert_eq!(told(store, gone).await, []);
    added(store, &tally, &counts(&[of(gone), of(place), of(nobody)])).await;
    let deleted = on(1, &[(Figure::ArtifactsDeleted, 1)]);
    assert_eq!(told(store, place).await, [deleted]);
    assert_eq!(told(store, gone).await, []);
    assert_eq!(told(store, nobody).await, []);
}

async fn a_tally_takes_the_place_of_another(store: &impl Store) {
    let (place, other) = (stored(store).await.id, stored(store).await.id);
    let (bytes, runs) = (Figure::BytesFreed, Figure::RunsCancelled);
    let old = store.current_tally().await.unwrap();
    let days = [
        (place, 1, bytes, 10),
        (place, 2, bytes, 20),
        (place, 3, bytes, 30),
    ];
    let old = added(store, &old, &counts(&days)).await;
    let old = added(store, &old, &counts(&[(other, 1, bytes, 10)])).await;
    let before = told(store, place).await;

    let new = store.begin_tally().await.unwrap();
    assert_eq!(new.mark, "");
    let days = [
        (place, 1, runs, 1),
        (place, 2, bytes, 2),
        (place, 2, runs, 2),
    ];
    let new = added(store, &new, &counts(&days)).await;
    let new = added(store, &new, &counts(&[(other, 1, runs, 1)])).await;
    assert_eq!(told(store, place).await, before, "it is made beside");
    assert_eq!(store.current_tally().await.unwrap(), old);

    let kept = BTreeMap::from([(place, Day(2)), (OrganizationId(fresh()), LAST)]);
    assert!(store.switch_tally(new.id, &kept).await.unwrap());
    assert_eq!(store.current_tally().await.unwrap(), new);
    let after = [on(1, &[(bytes, 10)]), on(2, &[(bytes, 2), (runs, 2)])];
    assert_eq!(told(store, place).await, after);
    assert_eq!(told(store, other).await, [on(1, &[(runs, 1)])]);
    // Whoever still counts in the old one counts nothing, and what is read stays.
    let one = counts(&[(place, 1, bytes, 1)]);
    assert!(!store.add_usage(&old, &mark(), &one).await.unwrap());
    for gone in [old.id, new.id] {
        assert!(!store.switch_tally(gone, &kept).await.unwrap());
    }
    assert_eq!(told(store, place).await, after);
    added(store, &new, &one).await;
    assert_eq!(told(store, place).await[0], on(1, &[(bytes, 11)]));
}

async fn a_tally_is_begun_in_place_of_others(store: &impl Store) {
    let place = stored(store).await.id;
    let one = counts(&[(place, 1, Figure::RunsSucceeded, 1)]);
    let first = store.begin_tally().await.unwrap();
    let first = added(store, &first, &one).await;
    let second = store.begin_tally().await.unwrap();
    assert_ne!(first.id, second.id);
    assert!(!store.add_usage(&first, &mark(), &one).await.unwrap());
    let none = BTreeMap::new();
    assert!(!store.switch_tally(first.id, &none).await.unwrap());
    assert_eq!(told(store, place).await, []);
    added(store, &second, &one).await;
    assert!(store.switch_tally(second.id, &none).await.unwrap());
    assert_eq!(
        told(store, place).await,
        [on(1, &[(Figure::RunsSucceeded, 1)])]
    );
}
