//! Room: how many requests are worked on at once. Whoever finds none is turned
//! away at once, which is cheap, rather than made to wait for longer than a client
//! has patience; so what is worked on is still wanted when it is done.
//!
//! A request takes a seat only while the server works on it, not while it waits
//! for its client to send or to read: slow clients cost others nothing.

use std::{sync::Arc, time::Duration};

use actix_web::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Problem;

/// When to come again.
const AGAIN: Duration = Duration::from_secs(1);

/// Seats for requests.
pub struct Room(Arc<Semaphore>);

/// A seat in the room; free again when it is dropped.
pub(crate) struct Seat(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Room {
    /// A room with so many seats.
    pub fn new(seats: usize) -> Self {
        Self(Arc::new(Semaphore::new(seats.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes a seat.
    ///
    /// # Errors
    ///
    /// 503 if none is free.
    pub(crate) fn enter(&self) -> Result<Seat, Problem> {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            metrics::counter!("archesai_http_requests_shed_total").increment(1);
            let problem = Problem::with_detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server has more to do than it can; try again shortly",
            );
            return Err(problem.retry_after(AGAIN));
        };
        metrics::gauge!("archesai_http_requests_in_flight").increment(1);
        Ok(Seat(permit))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("archesai_http_requests_in_flight").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn a_seat_is_for_one_and_free_again_afterwards() {
        let room = Room::new(1);
        let seat = room.enter().unwrap();
        assert_eq!(room.enter().err().unwrap().status(), 503);
        drop(seat);
        assert!(room.enter().is_ok());
    }
}
