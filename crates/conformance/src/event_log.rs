//! What the event log promises those who publish it, and those who follow it.

pub mod chains;
pub mod relays;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use archesai_auth::{Event, Recorded, UserId, ports::Repository};
use archesai_platform::events::{Changes, Mark, Outbox, Piece};
use tokio::time::{sleep, timeout};

use crate::fresh;

/// Long beside what a suite takes.
const LONG: Duration = Duration::from_mins(1);

/// As short as a lease can be.
const SHORT: Duration = Duration::from_millis(1);

/// How long anything may take.
const LATE: Duration = Duration::from_secs(5);

/// Runs every check on a log of which nobody has the right to publish.
pub async fn leading_suite(log: &impl Outbox) {
    let (one, other) = (fresh(), fresh());
    let lead = async |node, lease| log.lead(node, lease).await.unwrap();
    assert!(lead(one, LONG).await);
    assert!(!lead(other, LONG).await, "one leads at a time");
    assert!(lead(one, LONG).await, "who leads goes on");
    // Only who has the right can give it up.
    log.resign(other).await.unwrap();
    assert!(!lead(other, LONG).await);
    log.resign(one).await.unwrap();
    assert!(lead(other, LONG).await);
    log.resign(other).await.unwrap();
    // Who dies is followed by another.
    assert!(lead(one, SHORT).await);
    let taken_over = async {
        while !lead(other, LONG).await {
            sleep(SHORT).await;
        }
    };
    timeout(LATE, taken_over).await.expect("the lease ends");
    assert!(!lead(one, LONG).await);
    log.resign(other).await.unwrap();
}

/// Runs every check on following a log, to which users are added by its own repository.
pub async fn following_suite<S: Changes + Repository>(store: &S) {
    let begin = store.mark().await.unwrap();
    let (told, mark) = since(store, begin.clone(), &["user"]).await;
    assert_eq!(told, [], "what was there at the mark is not told");

    let (ada, bob) = (fresh(), fresh());
    let mut expected = BTreeMap::new();
    for user in [ada, bob, ada] {
        let event = registered(user);
        store.record(&event).await.unwrap();
        let told: &mut Vec<u128> = expected.entry(user).or_default();
        told.push(event.id);
    }
    let (told, after) = since(store, mark.clone(), &["user", "session"]).await;
    let mut found = BTreeMap::new();
    for (aggregate, id) in told {
        let told: &mut Vec<u128> = found.entry(aggregate).or_default();
        told.push(id);
    }
    assert_eq!(found, expected, "each is told once, and in its order");
    let (told, after) = since(store, after, &["user"]).await;
    assert_eq!(told, [], "nothing is told twice");
    // What is told depends on nothing but the mark.
    let (told, _) = since(store, begin, &["user"]).await;
    assert_eq!(told.len(), 3);
    // Other kinds are not told of, and what comes after them still is.
    let (told, _) = since(store, mark, &["session"]).await;
    assert_eq!(told, []);
    let last = registered(bob);
    store.record(&last).await.unwrap();
    let (told, _) = since(store, after, &["user"]).await;
    assert_eq!(told, [(bob, last.id)]);
    in_pieces(store).await;
}

/// However large the pieces are, each event is told once. What comes to light between two of them is
/// told too.
async fn in_pieces<S: Changes + Repository>(store: &S) {
    for limit in 1..=4 {
        let mut mark = store.mark().await.unwrap();
        let mut expected = Vec::new();
        let mut told = Vec::new();
        for round in 0..7 {
            // Two at a time at first, so that more and more is left to be told.
            for _ in 0..2 * u32::from(round < 3) {
                let event = registered(fresh());
                store.record(&event).await.unwrap();
                expected.push(event.id);
            }
            let piece = store.since(mark, &["user"], limit).await.unwrap();
            assert!(piece.events.len() <= limit as usize);
            assert!(piece.is_last || piece.events.len() == limit as usize);
            told.extend(piece.events.iter().map(|event| event.id));
            mark = piece.mark;
        }
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "in pieces of {limit}");
    }
    // From the very beginning everything is told, in however many pieces.
    let all = store.since(Mark::default(), &["user"], u32::MAX).await;
    let all = all.unwrap().events.len();
    let (mut mark, mut told) = (Mark::default(), 0);
    loop {
        let piece = store.since(mark, &["user"], 2).await.unwrap();
        told += piece.events.len();
        mark = piece.mark;
        if piece.is_last {
            break;
        }
    }
    assert_eq!(told, all);
}

/// To what something happened, and the events, since a mark.
async fn since(log: &impl Changes, mark: Mark, kinds: &[&str]) -> (Vec<(u128, u128)>, Mark) {
    let Piece { events, mark, .. } = log.since(mark, kinds, 100).await.unwrap();
    let told = events.iter().map(|event| (event.aggregate_id, event.id));
    (told.collect(), mark)
}

fn registered(user: u128) -> Recorded {
    Recorded {
        id: fresh(),
        organization_id: None,
        actor_id: None,
        occurred_at: SystemTime::UNIX_EPOCH,
        event: Event::UserRegistered {
            user_id: UserId(user),
            email: "a@example.com".to_owned(),
        },
    }
}
