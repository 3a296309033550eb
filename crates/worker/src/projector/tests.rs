//! How the log is read into a read model, over a log and a read model in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

use archesai_platform::events::LoggedEvent;

use super::*;

/// A log of events of some kinds at the places from 1 on, and from where it was read each time.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<(Vec<&'static str>, Vec<i64>)>>);

impl Log {
    fn append(&self, kind: &'static str, count: usize) {
        let events = &mut self.0.lock().unwrap().0;
        events.extend(std::iter::repeat_n(kind, count));
    }

    /// From where it was read, since it was asked the last time.
    fn read_from(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

fn mark(floor: i64) -> Mark {
    Mark {
        floor,
        known: BTreeMap::new(),
    }
}

fn event(place: i64, kind: &str) -> LoggedEvent {
    LoggedEvent {
        sequence: place,
        id: 0,
        organization_id: None,
        actor_id: None,
        aggregate_kind: kind.to_owned(),
        aggregate_id: 0,
        kind: kind.to_owned(),
        payload: String::new(),
        occurred_at: UNIX_EPOCH + Duration::from_secs(place.unsigned_abs()),
    }
}

impl Changes for Log {
    async fn mark(&self) -> Result<Mark> {
        let last = self.0.lock().unwrap().0.len();
        Ok(mark(i64::try_from(last).unwrap()))
    }

    async fn since(&self, from: Mark, kinds: &[&str], limit: u32) -> Result<Piece> {
        let (events, read_from) = &mut *self.0.lock().unwrap();
        read_from.push(from.floor);
        let all = (1..)
            .zip(events.iter())
            .filter(|(place, _)| *place > from.floor);
        let told = all.filter(|(_, kind)| kinds.contains(*kind));
        let told: Vec<_> = told.map(|(place, kind)| event(place, kind)).collect();
        let is_last = told.len() < limit as usize;
        let told: Vec<_> = told.into_iter().take(limit as usize).collect();
        let end = i64::try_from(events.len()).unwrap();
        let end = told
            .last()
            .filter(|_| !is_last)
            .map_or(end, |last| last.sequence);
        Ok(Piece {
            events: told,
            mark: mark(end),
            is_last,
        })
    }
}

/// Takes down the places of what it takes in, and how far the log was read.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<(Vec<i64>, i64)>>);

impl Book {
    fn places(&self) -> Vec<i64> {
        self.0.lock().unwrap().0.clone()
    }

    fn is_at(&self) -> i64 {
        self.0.lock().unwrap().1
    }
}

impl Projection for Book {
    type Checkpoint = i64;

    const NAME: &'static str = "book";
    const KINDS: &'static [&'static str] = &["told"];

    async fn checkpoint(&self) -> Result<(i64, Mark)> {
        let at = self.is_at();
        Ok((at, mark(at)))
    }

    async fn take_in(&self, events: &[LoggedEvent], from: &i64, to: &Mark) -> Result<bool> {
        let (places, at) = &mut *self.0.lock().unwrap();
        if *at != *from {
            return Ok(false);
        }
        places.extend(events.iter().map(|event| event.sequence));
        *at = to.floor;
        Ok(true)
    }
}

#[tokio::test]
async fn the_log_is_read_piece_by_piece_to_its_end() {
    let (log, book) = (Log::default(), Book::default());
    let most = i64::from(PIECE);
    log.append("told", PIECE as usize + 1);
    let mut projector = Projector::new(log.clone(), book.clone());
    let pass = projector.pass().await.unwrap();
    assert_eq!((pass.events, pass.more), (PIECE as usize, true));
    assert_eq!(
        lag(&log, &book, event(most + 5, "").occurred_at)
            .await
            .unwrap(),
        Duration::from_secs(4)
    );
    let pass = projector.pass().await.unwrap();
    assert_eq!((pass.events, pass.more), (1, false));
    assert_eq!(pass.up_to, Some(event(most + 1, "").occurred_at));
    assert_eq!(projector.pass().await.unwrap(), Pass::default());
    assert_eq!(book.places(), (1..=most + 1).collect::<Vec<_>>());
    assert_eq!(
        lag(&log, &book, event(most + 5, "").occurred_at)
            .await
            .unwrap(),
        Duration::ZERO
    );
}

/// What held nothing is not read again and again, nor written down each time.
#[tokio::test(start_paused = true)]
async fn what_holds_nothing_is_read_once_and_written_down_in_a_while() {
    let (log, book) = (Log::default(), Book::default());
    let mut projector = Projector::new(log.clone(), book.clone());
    log.append("other", 10);
    for _ in 0..3 {
        projector.pass().await.unwrap();
    }
    assert_eq!((log.read_from(), book.is_at()), (vec![0, 10, 10], 0));
    log.append("told", 1);
    projector.pass().await.unwrap();
    assert_eq!((book.places(), book.is_at()), (vec![11], 11));
    log.append("other", 1);
    projector.pass().await.unwrap();
    assert_eq!(book.is_at(), 11);
    tokio::time::advance(UNWRITTEN).await;
    projector.pass().await.unwrap();
    assert_eq!(book.is_at(), 12);
}

/// Who finds that another was faster goes on from where that one is.
#[tokio::test]
async fn of_several_each_goes_on_where_the_fastest_is() {
    let (log, book) = (Log::default(), Book::default());
    let mut slow = Projector::new(log.clone(), book.clone());
    let mut fast = Projector::new(log.clone(), book.clone());
    log.append("other", 1);
    slow.pass().await.unwrap();
    log.append("told", 2);
    fast.pass().await.unwrap();
    log.read_from();
    assert_eq!(slow.pass().await.unwrap(), Pass::default());
    assert_eq!(log.read_from(), [3]);
    log.append("told", 1);
    let (one, other) = (slow.pass().await.unwrap(), fast.pass().await.unwrap());
    assert_eq!(one.events + other.events, 1);
    assert_eq!(book.places(), [2, 3, 4]);
}
