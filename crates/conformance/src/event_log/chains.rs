//! What the event log promises those who chain it, audit it, and take away what has had its time.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_auth::{Event, OrganizationId, Recorded, UserId, ports::Repository};
use archesai_platform::{
    Result,
    chains::{Chain, Extension, PLATFORM, Record, Step, Trail, Walk},
    events::{LoggedEvent, Outbox},
    vault::{Opening, Vault},
};
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use crate::fresh;

/// Everything, as the place after which records are read.
const START: (i64, i64) = (i64::MIN, i64::MIN);

/// Digests with a key that everybody knows.
pub struct OpenVault;

impl Vault for OpenVault {
    fn seal(&self, _context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        Ok(plain.to_vec())
    }

    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]> {
        let length = context.len().to_be_bytes();
        Ok(Sha256::digest([&length, context, bytes].concat()).into())
    }

    fn open<'a>(&'a self, _context: &'a [u8], sealed: &'a [u8]) -> Opening<'a> {
        Box::pin(async { Ok(sealed.to_vec()) })
    }
}

/// Runs every check on chains, on a log to which users are added by its own repository.
pub async fn suite<S: Outbox + Trail + Repository>(store: &S) {
    what_is_published_is_chained(store).await;
    who_is_slower_changes_nothing(store).await;
    of_many_at_once_one_extends_a_chain(store).await;
    chains_are_told_of_in_order(store).await;
    chains_begin_later(store).await;
    what_is_broken_is_left_alone(store).await;
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Records that somebody signed up, at so many seconds.
pub(super) async fn record<S: Repository>(store: &S, organization: u128, seconds: u64) {
    let event = Recorded {
        id: fresh(),
        organization_id: (organization != PLATFORM).then_some(OrganizationId(organization)),
        actor_id: Some(UserId(3)),
        occurred_at: time(seconds),
        event: Event::UserRegistered {
            user_id: UserId(fresh()),
            email: "a@example.com".to_owned(),
        },
    };
    store.record(&event).await.unwrap();
}

/// What is not published of some organizations.
async fn unpublished(log: &impl Outbox, organizations: &[u128]) -> Vec<LoggedEvent> {
    let mut events = log.unpublished(&BTreeSet::new(), 10_000).await.unwrap();
    let of = |event: &LoggedEvent| event.organization_id.unwrap_or(PLATFORM);
    events.retain(|event| organizations.contains(&of(event)));
    events
}

/// What events add to their chains.
pub(crate) async fn extension(log: &impl Outbox, events: &[LoggedEvent]) -> Extension {
    let of = |event: &LoggedEvent| event.organization_id.unwrap_or(PLATFORM);
    let chains = log.chains(&events.iter().map(of).collect()).await.unwrap();
    Extension::new(&OpenVault, chains, events).unwrap()
}

/// Publishes all that is not published of some organizations.
pub async fn publish(log: &impl Outbox, organizations: &[u128]) {
    let events = unpublished(log, organizations).await;
    let extension = extension(log, &events).await;
    assert!(log.mark_published(&extension).await.unwrap());
}

pub(super) async fn records(trail: &impl Trail, organization: u128) -> Vec<Record> {
    let records = trail.records(organization, START, 10_000).await;
    records.unwrap()
}

async fn chain(trail: &impl Trail, organization: u128) -> Chain {
    trail.chain(organization).await.unwrap().unwrap()
}

/// Goes along a chain, to where it ends.
pub(super) async fn holds(trail: &impl Trail, organization: u128) {
    let chain = chain(trail, organization).await;
    assert!(chain.is_whole(&OpenVault).unwrap());
    let mut walk = Walk::after(&OpenVault, chain.base);
    for record in records(trail, organization).await {
        assert_eq!(walk.step(&record).unwrap(), None, "{record:?}");
    }
    assert_eq!(walk.place(), chain.head);
}

async fn what_is_published_is_chained<S: Outbox + Trail + Repository>(store: &S) {
    let organization = fresh();
    assert_eq!(store.chain(organization).await.unwrap(), None);
    let pending = store.pending().await.unwrap();
    for owner in [organization, PLATFORM, organization, organization] {
        record(store, owner, 100).await;
    }
    assert_eq!(store.pending().await.unwrap(), pending + 4);
    assert_eq!(records(store, organization).await, []);
    let events = unpublished(store, &[organization]).await;
    publish(store, &[organization]).await;
    assert_eq!(store.pending().await.unwrap(), pending + 1);
    publish(store, &[PLATFORM]).await;
    for owner in [organization, PLATFORM] {
        holds(store, owner).await;
        assert_eq!(store.loose(owner).await.unwrap(), None);
    }
    let found = records(store, organization).await;
    let told: Vec<_> = found.iter().map(|record| record.event.clone()).collect();
    assert_eq!(told, events, "they are as they were published");
    let positions: Vec<_> = found.iter().map(|record| record.position).collect();
    assert_eq!(positions, [1, 2, 3]);
    // In pages, each after the last of the one before.
    let mut after = START;
    for expected in &found {
        let page = store.records(organization, after, 1).await.unwrap();
        assert_eq!(page, std::slice::from_ref(expected));
        after = (expected.position, expected.event.sequence);
    }
    let page = store.records(organization, after, 1).await.unwrap();
    assert_eq!(page, []);
    let chain = chain(store, organization).await;
    assert_eq!((chain.head.position, chain.base.position), (3, 0));
    assert_eq!(chain.begins_at, Some(time(100)));
    // A chain goes on where it ended.
    record(store, organization, 90).await;
    publish(store, &[organization]).await;
    holds(store, organization).await;
    assert_eq!(records(store, organization).await.len(), 4);
}

async fn who_is_slower_changes_nothing<S: Outbox + Trail + Repository>(store: &S) {
    let (one, other) = (fresh(), fresh());
    for owner in [one, other] {
        record(store, owner, 100).await;
    }
    let of_one = unpublished(store, &[one]).await;
    let of_both = unpublished(store, &[one, other]).await;
    let faster = extension(store, &of_one).await;
    let slower = extension(store, &of_both).await;
    assert!(store.mark_published(&faster).await.unwrap());
    for late in [&slower, &faster] {
        assert!(!store.mark_published(late).await.unwrap());
    }
    assert_eq!(store.chain(other).await.unwrap(), None);
    assert_eq!(unpublished(store, &[one, other]).await.len(), 1);
    // With the chains as they are by now, but with an event that is marked already.
    let again = extension(store, &of_both).await;
    assert!(!store.mark_published(&again).await.unwrap());
    assert_eq!(store.chain(other).await.unwrap(), None);
    publish(store, &[one, other]).await;
    for owner in [one, other] {
        holds(store, owner).await;
        assert_eq!(records(store, owner).await.len(), 1);
    }
}

/// Chains do not fork, whether they begin or go on, and nobody waits for somebody who waits for them.
async fn of_many_at_once_one_extends_a_chain<S: Outbox + Trail + Repository>(store: &S) {
    let owners = [fresh(), fresh(), fresh()];
    for round in 1..=2 {
        for owner in owners {
            record(store, owner, 100).await;
        }
        let mut events = unpublished(store, &owners).await;
        let mut extensions = Vec::new();
        for _ in 0..8 {
            events.rotate_left(1);
            let mut extension = extension(store, &events).await;
            extension.steps.rotate_left(extensions.len() % 3);
            extensions.push(extension);
        }
        let marks = extensions.iter().map(|one| store.mark_published(one));
        let marks = join_all(marks).await;
        let won = marks.into_iter().filter(|one| *one.as_ref().unwrap());
        assert_eq!(won.count(), 1);
        for owner in owners {
            holds(store, owner).await;
            assert_eq!(records(store, owner).await.len(), round);
        }
    }
}

async fn chains_are_told_of_in_order<S: Outbox + Trail + Repository>(store: &S) {
    let mut owners = [fresh(), fresh(), fresh()];
    owners.sort_unstable();
    let [first, second, third] = owners;
    for owner in owners {
        record(store, owner, 100).await;
    }
    // What is in the log and in no chain yet is told of as well.
    publish(store, &[first, third]).await;
    assert_eq!(store.next(first - 1).await.unwrap(), Some(first));
    assert_eq!(store.next(first).await.unwrap(), Some(second));
    assert_eq!(store.next(second).await.unwrap(), Some(third));
    assert_eq!(store.next(u128::MAX).await.unwrap(), None);
    publish(store, &[second]).await;
}

/// The chains of some organizations that begin before so many seconds, in their order.
async fn begun_before(trail: &impl Trail, seconds: u64, owners: &[u128]) -> Vec<u128> {
    let begun = trail.begun_before(time(seconds), 10_000).await.unwrap();
    let begun = begun.iter().map(|chain| chain.organization);
    begun.filter(|owner| owners.contains(owner)).collect()
}

/// Takes away all that there is of a chain.
pub async fn shorten(trail: &impl Trail, organization: u128) {
    let was = chain(trail, organization).await;
    let end = was.head;
    let step = Step::begin_after(&OpenVault, was, end, None).unwrap();
    assert!(trail.trim(&step).await.unwrap());
}

async fn chains_begin_later<S: Outbox + Trail + Repository>(store: &S) {
    let (one, other) = (fresh(), fresh());
    for (owner, seconds) in [(one, 20), (one, 21), (other, 10), (one, 22)] {
        record(store, owner, seconds).await;
    }
    publish(store, &[one, other]).await;
    let owners = [one, other];
    assert_eq!(begun_before(store, 21, &owners).await, [other, one]);
    assert_eq!(begun_before(store, 20, &owners).await, [other]);
    assert_eq!(store.begun_before(time(20), 1).await.unwrap().len(), 1);

    let was = chain(store, one).await;
    let second = &records(store, one).await[1];
    let mut walk = Walk::after(&OpenVault, was.base);
    for record in &records(store, one).await[..2] {
        walk.step(record).unwrap();
    }
    let later = second.event.occurred_at + Duration::from_secs(1);
    let step = Step::begin_after(&OpenVault, was.clone(), walk.place(), Some(later)).unwrap();
    // Whoever goes by what has changed since takes nothing away.
    record(store, one, 23).await;
    publish(store, &[one]).await;
    assert!(!store.trim(&step).await.unwrap());
    assert_eq!(records(store, one).await.len(), 4);
    let was = chain(store, one).await;
    let step = Step::begin_after(&OpenVault, was, walk.place(), Some(later)).unwrap();
    assert!(store.trim(&step).await.unwrap());
    assert!(!store.trim(&step).await.unwrap());
    let left: Vec<_> = records(store, one)
        .await
        .iter()
        .map(|r| r.position)
        .collect();
    assert_eq!(left, [3, 4]);
    assert_eq!(begun_before(store, 22, &owners).await, [other]);
    assert_eq!(begun_before(store, 23, &owners).await, [other, one]);
    holds(store, one).await;
    holds(store, other).await;
    // What is taken away is away for those who read the history as well, and the chain goes on.
    record(store, one, 24).await;
    publish(store, &[one]).await;
    holds(store, one).await;

    // All of it may go.
    shorten(store, other).await;
    assert_eq!(records(store, other).await, []);
    assert_eq!(begun_before(store, 1_000, &[other]).await, [0; 0]);
    record(store, other, 30).await;
    publish(store, &[other]).await;
    holds(store, other).await;
    assert_eq!(chain(store, other).await.begins_at, Some(time(30)));
}

async fn what_is_broken_is_left_alone<S: Outbox + Trail + Repository>(store: &S) {
    let owner = fresh();
    record(store, owner, 10).await;
    publish(store, &[owner]).await;
    assert_eq!(begun_before(store, 20, &[owner]).await, [owner]);
    let was = chain(store, owner).await;
    assert!(store.trim(&Step::break_off(was)).await.unwrap());
    assert_eq!(begun_before(store, 20, &[owner]).await, [0; 0]);
    assert_eq!(records(store, owner).await.len(), 1);
    // It goes on, and stays broken.
    record(store, owner, 11).await;
    publish(store, &[owner]).await;
    assert_eq!(records(store, owner).await.len(), 2);
    assert!(chain(store, owner).await.is_broken());
}
