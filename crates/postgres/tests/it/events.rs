//! The event log, of which others read while it is written.

use std::{collections::BTreeSet, time::SystemTime};

use archesai_auth::{
    Event, Recorded, UserId,
    ports::{Repository as _, Store as _, Transaction as _},
};
use archesai_platform::events::{Changes as _, Mark, Outbox as _};
use futures_util::FutureExt as _;

use crate::scratch::Scratch;

fn registered(user: u128, id: u128) -> Recorded {
    Recorded {
        id,
        organization_id: None,
        actor_id: None,
        occurred_at: SystemTime::UNIX_EPOCH,
        event: Event::UserRegistered {
            user_id: UserId(user),
            email: "a@example.com".to_owned(),
        },
    }
}

/// Places are given out before the commit: one may come to light after a later one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_late_is_not_missed() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    let slow = store.begin().await.unwrap();
    slow.record(&registered(1, 11)).await.unwrap();
    // What is recorded waits to be sent, and goes with what comes next.
    slow.find_user(UserId(1)).await.unwrap();
    store.record(&registered(2, 12)).await.unwrap();
    let first = store.unpublished(&BTreeSet::new(), 10).await.unwrap();
    assert_eq!(first.iter().map(|event| event.id).collect::<Vec<_>>(), [12]);
    slow.commit().await.unwrap();
    let known = first.iter().map(|event| event.sequence).collect();
    let second = store.unpublished(&known, 10).await.unwrap();
    assert_eq!(
        second.iter().map(|event| event.id).collect::<Vec<_>>(),
        [11]
    );
    assert!(second[0].sequence < first[0].sequence);
}

/// Of what happens to one thing the second waits until the first is committed, so that they come to
/// light in their order.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_aggregate_come_to_light_in_order() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    let first = store.begin().await.unwrap();
    first.record(&registered(1, 11)).await.unwrap();
    first.find_user(UserId(1)).await.unwrap();
    let event = registered(1, 12);
    let mut second = Box::pin(store.record(&event));
    // It is sent, and the server has seen it once it answers somebody who asks later.
    assert!(second.as_mut().now_or_never().is_none());
    store.record(&registered(2, 13)).await.unwrap();
    assert!(second.as_mut().now_or_never().is_none());
    first.commit().await.unwrap();
    second.await.unwrap();
    let events = store.unpublished(&BTreeSet::new(), 10).await.unwrap();
    let of_one: Vec<u128> = events
        .iter()
        .filter(|event| event.aggregate_id == 1)
        .map(|event| event.id)
        .collect();
    assert_eq!(of_one, [11, 12]);
}

/// A follower hears of what was begun before its mark and committed after it, and of nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_log_misses_nothing_that_comes_late() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    let slow = store.begin().await.unwrap();
    slow.record(&registered(1, 11)).await.unwrap();
    slow.find_user(UserId(1)).await.unwrap();
    let mark = store.mark().await.unwrap();
    store.record(&registered(2, 12)).await.unwrap();
    let since = async |mark| {
        let piece = store.since(mark, &["user"], 10).await.unwrap();
        let ids: Vec<u128> = piece.events.iter().map(|event| event.id).collect();
        (ids, piece.mark)
    };
    let (told, mark) = since(mark).await;
    assert_eq!(told, [12]);
    let (told, mark) = since(mark).await;
    assert_eq!(told, []);
    // As long as an older transaction is open, here or in another database of the server.
    assert!(!mark.known.is_empty());
    slow.commit().await.unwrap();
    let (told, mark) = since(mark).await;
    assert_eq!(told, [11]);
    let (told, _) = since(mark).await;
    assert_eq!(told, []);
}

/// Who reads in pieces misses nothing either: neither of a transaction that is larger than a piece,
/// nor of one that was begun first and ends last.
#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_the_log_leave_nothing_out() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    let slow = store.begin().await.unwrap();
    slow.record(&registered(1, 11)).await.unwrap();
    slow.find_user(UserId(1)).await.unwrap();
    let large = store.begin().await.unwrap();
    for id in 12..17 {
        large.record(&registered(id, id)).await.unwrap();
    }
    large.commit().await.unwrap();
    let rest = async |mut mark| {
        let mut told: Vec<u128> = Vec::new();
        loop {
            let piece = store.since(mark, &["user"], 2).await.unwrap();
            told.extend(piece.events.iter().map(|event| event.id));
            mark = piece.mark;
            if piece.is_last {
                told.sort_unstable();
                return (told, mark);
            }
        }
    };
    let (told, mark) = rest(Mark::default()).await;
    assert_eq!(told, [12, 13, 14, 15, 16]);
    slow.commit().await.unwrap();
    store.record(&registered(2, 17)).await.unwrap();
    let (told, mark) = rest(mark).await;
    assert_eq!(told, [11, 17]);
    let (told, _) = rest(mark).await;
    assert_eq!(told, []);
    let (told, _) = rest(Mark::default()).await;
    assert_eq!(told, [11, 12, 13, 14, 15, 16, 17]);
}
