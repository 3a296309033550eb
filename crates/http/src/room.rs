//! Room: how many requests are worked on at once, and how much memory their bodies
//! take. Whoever finds none is turned away at once, which is cheap, rather than made
//! to wait for longer than a client has patience; so what is worked on is still
//! wanted when it is done.
//!
//! A request takes a seat only while the server works on it, not while it waits
//! for its client to send or to read: slow clients cost others nothing. Guests have
//! a part of the room to themselves, so that whoever has not even signed in takes
//! nothing from those who have.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Problem;

/// The part of guests: one in so many.
const GUESTS: usize = 4;

/// How many of the largest bodies there is space for.
const BODIES: usize = 12;

/// The least space there is, in bytes.
const MIN_SPACE: usize = 128 << 20;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// Nobody in particular.
    Guest,
    /// Whoever has, or says so, a credential.
    Caller,
}

/// Seats for requests, and space for their bodies.
pub struct Room {
    guests: Part,
    callers: Part,
}

/// The part of the room that a party has.
struct Part {
    seats: Arc<Semaphore>,
    /// In bytes.
    space: Arc<Semaphore>,
}

/// A seat in the room; free again when it is dropped.
pub(crate) struct Seat(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

/// Space that a body takes; free again when it is dropped.
pub(crate) struct Space {
    all: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// A room with so many seats, and with space for some of the largest bodies
    /// at once, which are of so many bytes.
    pub fn new(seats: usize, largest_body: usize) -> Self {
        let space = largest_body.saturating_mul(BODIES).max(MIN_SPACE);
        Self::with_space(seats, space)
    }

    fn with_space(seats: usize, space: usize) -> Self {
        let part = |seats: usize, space: usize| Part {
            seats: Arc::new(Semaphore::new(seats.clamp(1, Semaphore::MAX_PERMITS))),
            space: Arc::new(Semaphore::new(space.min(Semaphore::MAX_PERMITS))),
        };
        let guests = (seats / GUESTS, space / GUESTS);
        Self {
            guests: part(guests.0, guests.1),
            callers: part(seats - guests.0, space - guests.1),
        }
    }

    fn part(&self, party: Party) -> &Part {
        match party {
            Party::Guest => &self.guests,
            Party::Caller => &self.callers,
        }
    }

    /// Takes a seat.
    ///
    /// # Errors
    ///
    /// 503 if none is free.
    pub(crate) fn enter(&self, party: Party) -> Result<Seat, Problem> {
        let permit = Arc::clone(&self.part(party).seats).try_acquire_owned();
        let seat = Seat(permit.map_err(|_| full())?);
        metrics::gauge!("archesai_http_requests_in_flight").increment(1);
        Ok(seat)
    }

    /// Space for a body, none of it taken yet.
    pub(crate) fn space(&self, party: Party) -> Space {
        Space {
            all: Arc::clone(&self.part(party).space),
            taken: None,
        }
    }
}

impl Space {
    /// Takes so many bytes more.
    ///
    /// # Errors
    ///
    /// 503 if there are not so many.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let bytes = u32::try_from(bytes).map_err(|_| full())?;
        let more = Arc::clone(&self.all).try_acquire_many_owned(bytes);
        let more = more.map_err(|_| full())?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}

fn full() -> Problem {
    Problem::busy("the server has more to do than it can; try again shortly")
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("archesai_http_requests_in_flight").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_for_one_and_free_again_afterwards() {
        let room = Room::with_space(1, 0);
        let seat = room.enter(Party::Caller).unwrap();
        assert_eq!(room.enter(Party::Caller).err().unwrap().status(), 503);
        drop(seat);
        assert!(room.enter(Party::Caller).is_ok());
    }

    #[test]
    fn guests_take_nothing_from_callers() {
        let room = Room::with_space(8, 400);
        let guests: Vec<_> = (0..2).map(|_| room.enter(Party::Guest).unwrap()).collect();
        assert!(room.enter(Party::Guest).is_err());
        assert!(room.space(Party::Guest).take(101).is_err());
        let callers: Vec<_> = (0..6).map(|_| room.enter(Party::Caller).unwrap()).collect();
        assert!(room.enter(Party::Caller).is_err());
        assert!(room.space(Party::Caller).take(300).is_ok());
        drop((guests, callers));
    }

    #[test]
    fn space_is_taken_piece_by_piece_and_freed_at_once() {
        let room = Room::with_space(4, 400);
        let mut one = room.space(Party::Caller);
        for _ in 0..3 {
            one.take(100).unwrap();
        }
        let mut other = room.space(Party::Caller);
        let refused = other.take(1).unwrap_err();
        assert_eq!(refused.status(), 503);
        drop(one);
        other.take(300).unwrap();
    }
}
