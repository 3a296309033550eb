//! Links and seals over a vault that only tells its inputs apart.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use super::*;
use crate::{
    chains::{Fault, Record, Walk},
    vault::Opening,
};

/// Digests with a number for a key.
struct Numbered(u64);

impl Vault for Numbered {
    fn seal(&self, _context: &[u8], _plain: &[u8]) -> Result<Vec<u8>> {
        unreachable!("nothing is sealed here")
    }

    fn mac(&self, context: &[u8], bytes: &[u8]) -> Result<[u8; 32]> {
        let mut mac = [0; 32];
        for (at, half) in mac.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (self.0, at, context, bytes).hash(&mut hasher);
            half.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        Ok(mac)
    }

    fn open<'a>(&'a self, _context: &'a [u8], _sealed: &'a [u8]) -> Opening<'a> {
        unreachable!("nothing is opened here")
    }
}

const VAULT: Numbered = Numbered(7);

fn event(sequence: i64, organization_id: Option<u128>) -> LoggedEvent {
    LoggedEvent {
        sequence,
        id: 1_000 + u128::try_from(sequence).unwrap(),
        organization_id,
        actor_id: None,
        aggregate_kind: "run".to_owned(),
        aggregate_id: 5,
        kind: "run.started".to_owned(),
        payload: "{}".to_owned(),
        occurred_at: UNIX_EPOCH + Duration::from_micros(17),
    }
}

fn chain(events: &[LoggedEvent]) -> (Chain, Vec<Record>) {
    let mut extension = Extension::new(&VAULT, Vec::new(), events).unwrap();
    let records = extension.links.iter().zip(events);
    let records = records.map(|(link, event)| Record {
        event: event.clone(),
        position: link.place.position,
        mac: link.place.mac.to_vec(),
    });
    let records = records.collect();
    (extension.steps.remove(0).becomes, records)
}

/// The first fault, and how far one comes before it.
fn faults(chain: &Chain, records: &[Record]) -> (i64, Option<Fault>) {
    let mut walk = Walk::after(&VAULT, chain.base);
    for record in records {
        let fault = walk.step(record).unwrap();
        if fault.is_some() {
            return (walk.place().position, fault);
        }
    }
    (walk.place().position, None)
}

#[test]
fn each_part_of_an_event_counts() {
    let first = event(1, Some(9));
    let changes: [fn(&mut LoggedEvent); 11] = [
        |event| event.sequence += 1,
        |event| event.id += 1,
        |event| event.organization_id = None,
        |event| event.actor_id = Some(0),
        |event| event.aggregate_kind.push('x'),
        |event| event.aggregate_id += 1,
        |event| event.kind.push('x'),
        |event| event.payload.push(' '),
        |event| event.occurred_at += Duration::from_micros(1),
        |event| event.occurred_at = UNIX_EPOCH - Duration::from_micros(17),
        // What one part ends with, the next does not begin with.
        |event| {
            event.aggregate_kind.push_str("run");
            event.kind = ".started".to_owned();
        },
    ];
    let place = |event: &LoggedEvent| Place::default().followed_by(&VAULT, event).unwrap();
    for (at, change) in changes.iter().enumerate() {
        let mut changed = first.clone();
        change(&mut changed);
        assert_ne!(place(&changed), place(&first), "change {at}");
    }
    let elsewhere = place(&first).followed_by(&VAULT, &first).unwrap();
    assert_ne!(elsewhere.mac, place(&first).mac);
    let other = Place::default().followed_by(&Numbered(8), &first).unwrap();
    assert_ne!(other, place(&first));
}

#[test]
fn what_was_done_to_a_chain_is_found() {
    let events: Vec<_> = (1..=4).map(|at| event(at, Some(9))).collect();
    let (chain, records) = chain(&events);
    assert!(chain.is_whole(&VAULT).unwrap());
    assert_eq!(chain.begins_at, Some(events[0].occurred_at));
    assert_eq!(faults(&chain, &records), (4, None));

    let mut changed = records.clone();
    changed[2].event.payload = "[]".to_owned();
    assert_eq!(faults(&chain, &changed), (2, Some(Fault::Changed)));
    let mut removed = records.clone();
    removed.remove(1);
    assert_eq!(faults(&chain, &removed), (1, Some(Fault::Missing)));
    let mut moved = records.clone();
    let (one, other) = moved.split_at_mut(2);
    std::mem::swap(&mut one[1].event, &mut other[0].event);
    assert_eq!(faults(&chain, &moved), (1, Some(Fault::Changed)));
    let mut doubled = records.clone();
    doubled.insert(2, records[1].clone());
    assert_eq!(faults(&chain, &doubled), (2, Some(Fault::Surplus)));
    let mut renumbered = removed;
    for (position, record) in (1..).zip(&mut renumbered) {
        record.position = position;
    }
    assert_eq!(faults(&chain, &renumbered), (1, Some(Fault::Changed)));
}

#[test]
fn chains_grow_apart_and_go_on() {
    let events = [event(1, Some(9)), event(2, None), event(3, Some(9))];
    let first = Extension::new(&VAULT, Vec::new(), &events).unwrap();
    let positions: Vec<_> = first.links.iter().map(|link| link.place.position).collect();
    assert_eq!(positions, [1, 1, 2]);
    let owners = first.steps.iter().map(|step| step.becomes.organization);
    assert_eq!(owners.collect::<Vec<_>>(), [PLATFORM, 9]);
    let chains: Vec<_> = first.steps.into_iter().map(|step| step.becomes).collect();
    let then = Extension::new(&VAULT, chains.clone(), &[event(4, None)]).unwrap();
    assert_eq!(then.links[0].place.position, 2);
    assert_eq!(then.steps[0].was.as_ref(), Some(&chains[0]));
    assert_eq!(then.broken().count(), 0);
}

/// Who cuts a chain off and sets its head back cannot have it sealed by what comes next.
#[test]
fn what_is_added_does_not_mend() {
    let events: Vec<_> = (1..=3).map(|at| event(at, None)).collect();
    let (whole, records) = chain(&events);
    let mut cut = whole.clone();
    cut.head = Place {
        position: 2,
        mac: records[1].mac.clone().try_into().unwrap(),
    };
    assert!(!cut.is_whole(&VAULT).unwrap());
    let after = Extension::new(&VAULT, vec![cut], &[event(4, None)]).unwrap();
    assert_eq!(after.broken().collect::<Vec<_>>(), [PLATFORM]);
    let broken = after.steps[0].becomes.clone();
    let later = Extension::new(&VAULT, vec![broken], &[event(5, None)]).unwrap();
    assert!(!later.steps[0].becomes.is_whole(&VAULT).unwrap());
    assert_eq!(later.broken().count(), 0, "it is told once");
}

#[test]
fn a_chain_that_begins_later_is_still_one() {
    let events: Vec<_> = (1..=3).map(|at| event(at, None)).collect();
    let (whole, records) = chain(&events);
    let base = Place {
        position: 2,
        mac: records[1].mac.clone().try_into().unwrap(),
    };
    let step = Step::begin_after(&VAULT, whole, base, None).unwrap();
    assert!(step.becomes.is_whole(&VAULT).unwrap());
    assert_eq!(faults(&step.becomes, &records[2..]), (3, None));
    assert_eq!(faults(&step.becomes, &records), (2, Some(Fault::Surplus)));
    let mut forged = step.becomes;
    forged.base.position = 1;
    assert!(!forged.is_whole(&VAULT).unwrap());
}
