//! Live updates: wakes those who watch a thing when something happened to it.
//!
//! One subscription per process hears of every published event, and wakes the
//! watchers of the event's aggregate. Waking says only "look again": the event
//! log is what they read, so that an event lost on its way costs time alone.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::http::StatusCode;
use archesai_platform::events::{History, LoggedEvent, Subscriber, Subscription};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
};

use crate::{Problem, erased::AnyHistory};

/// How many watches a user may have at once.
const MAX_OF_USER: usize = 20;

/// Reads what happened, and tells when more did.
pub struct Live {
    log: AnyHistory,
    watchers: Arc<Watchers>,
    listener: JoinHandle<()>,
}

impl Live {
    /// Begins to listen, on the tokio runtime this is called in, until it is
    /// dropped. At most `limit` can watch at once.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start<S: Subscriber>(log: impl History, subscriber: &S, limit: usize) -> Self {
        let watchers = Arc::new(Watchers::new(limit));
        let mut subscription = subscriber.subscribe();
        let woken = Arc::clone(&watchers);
        let listener = tokio::spawn(async move {
            loop {
                match subscription.next().await {
                    Some(event) => woken.wake(event.aggregate_id),
                    None => woken.wake_all(),
                }
            }
        });
        Self {
            log: AnyHistory::new(log),
            watchers,
            listener,
        }
    }

    /// Ends every watch and begins no more, so that a server that stops does
    /// not wait for its streams. Their clients go on elsewhere.
    pub fn close(&self) {
        self.watchers.close();
    }

    /// The events of an aggregate after a place in the log, in order.
    pub(crate) async fn history(
        &self,
        organization: u128,
        aggregate: (&str, u128),
        after: i64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, Problem> {
        let history = self.log.history(organization, aggregate, after, limit);
        history.await.map_err(Problem::unavailable)
    }

    /// Watches an aggregate for a user: whatever is published of it from now on
    /// wakes the watch.
    ///
    /// # Errors
    ///
    /// 429 if the user watches too much already; 503 if too many do, or the server stops.
    pub(crate) fn watch(&self, aggregate: u128, user: u128) -> Result<Watch, Problem> {
        Watchers::join(&self.watchers, aggregate, user).map_err(Full::problem)
    }
}

/// Why there is no place to watch from.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    /// The user has as many as one may have.
    User,
    /// All are taken, or the server stops.
    Server,
}

impl Full {
    fn problem(self) -> Problem {
        let problem = match self {
            Self::User => Problem::with_detail(
                StatusCode::TOO_MANY_REQUESTS,
                format_args!("a user may have {MAX_OF_USER} event streams at once; close one"),
            ),
            Self::Server => Problem::with_detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server has no room for another event stream; try again shortly",
            ),
        };
        problem.retry_after(Duration::from_secs(5))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.listener.abort();
        self.close();
    }
}

/// Who watches what.
#[derive(Debug)]
struct Watchers {
    /// `None` once it is closed.
    open: Mutex<Option<Watches>>,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Watches {
    /// By aggregate.
    watched: HashMap<u128, Watched>,
    /// How many watches each user has.
    users: HashMap<u128, usize>,
}

/// What is watched, and by how many.
#[derive(Debug)]
struct Watched {
    changes: watch::Sender<()>,
    watchers: usize,
}

impl Watchers {
    fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            open: Mutex::new(Some(Watches::default())),
            room: Arc::new(Semaphore::new(limit)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Watches>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, aggregate: u128) {
        let open = self.lock();
        let watched = open.as_ref().and_then(|open| open.watched.get(&aggregate));
        if let Some(watched) = watched {
            watched.changes.send_replace(());
        }
    }

    fn wake_all(&self) {
        for watched in self.lock().iter().flat_map(|open| open.watched.values()) {
            watched.changes.send_replace(());
        }
    }

    fn close(&self) {
        // Its receivers learn that the sender is gone.
        *self.lock() = None;
    }

    fn join(this: &Arc<Self>, aggregate: u128, user: u128) -> Result<Watch, Full> {
        let permit = Arc::clone(&this.room).try_acquire_owned();
        let permit = permit.map_err(|_| Full::Server)?;
        let mut open = this.lock();
        let open = open.as_mut().ok_or(Full::Server)?;
        let of_user = open.users.entry(user).or_default();
        if *of_user >= MAX_OF_USER {
            return Err(Full::User);
        }
        *of_user += 1;
        let watched = open.watched.entry(aggregate).or_insert_with(|| Watched {
            changes: watch::Sender::new(()),
            watchers: 0,
        });
        watched.watchers += 1;
        Ok(Watch {
            aggregate,
            user,
            changes: watched.changes.subscribe(),
            watchers: Arc::clone(this),
            _permit: permit,
        })
    }

    fn leave(&self, aggregate: u128, user: u128) {
        let mut open = self.lock();
        let Some(open) = open.as_mut() else {
            return;
        };
        if let Entry::Occupied(mut watched) = open.watched.entry(aggregate) {
            watched.get_mut().watchers -= 1;
            if watched.get().watchers == 0 {
                watched.remove();
            }
        }
        if let Entry::Occupied(mut of_user) = open.users.entry(user) {
            *of_user.get_mut() -= 1;
            if *of_user.get() == 0 {
                of_user.remove();
            }
        }
    }
}

/// One watch of an aggregate; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watch {
    aggregate: u128,
    user: u128,
    changes: watch::Receiver<()>,
    watchers: Arc<Watchers>,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// Whether the watch was ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.changes.has_changed().is_err()
    }

    /// Waits until something may have happened since the last call or the watch
    /// was ended, for at most `patience`.
    pub(crate) async fn wait(&mut self, patience: Duration) {
        // Whichever it is that ends the waiting, whoever waits looks again.
        _ = tokio::time::timeout(patience, self.changes.changed()).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.leave(self.aggregate, self.user);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Long enough to hang a test that waits for it, which it must not.
    const FOREVER: Duration = Duration::from_hours(1);

    const USER: u128 = 7;

    fn watchers(limit: usize) -> Arc<Watchers> {
        Arc::new(Watchers::new(limit))
    }

    fn watched(watchers: &Watchers) -> usize {
        let open = watchers.lock();
        let counts = open
            .as_ref()
            .map(|open| (open.watched.len(), open.users.len()));
        let (watched, users) = counts.unwrap_or_default();
        assert_eq!(users, usize::from(watched > 0), "there is one");
        watched
    }

    #[tokio::test]
    async fn what_happens_between_two_looks_wakes_the_next() {
        let watchers = watchers(2);
        let mut first = Watchers::join(&watchers, 1, USER).unwrap();
        let mut second = Watchers::join(&watchers, 1, USER).unwrap();
        watchers.wake(1);
        watchers.wake(1);
        first.wait(FOREVER).await;
        second.wait(FOREVER).await;
        watchers.wake_all();
        first.wait(FOREVER).await;
    }

    #[tokio::test]
    async fn what_happens_to_others_wakes_nobody() {
        let watchers = watchers(1);
        let mut watch = Watchers::join(&watchers, 1, USER).unwrap();
        watchers.wake(2);
        assert!(watch.wait(FOREVER).now_or_never().is_none());
        watchers.wake(1);
        assert!(watch.wait(FOREVER).now_or_never().is_some());
    }

    #[tokio::test]
    async fn the_last_to_leave_leaves_nothing_behind() {
        let watchers = watchers(2);
        let first = Watchers::join(&watchers, 1, USER).unwrap();
        let second = Watchers::join(&watchers, 1, USER).unwrap();
        let refused = Watchers::join(&watchers, 2, USER).unwrap_err();
        assert_eq!(refused, Full::Server, "beyond the limit");
        drop(first);
        assert_eq!(watched(&watchers), 1);
        drop(second);
        assert_eq!(watched(&watchers), 0);
        assert!(Watchers::join(&watchers, 2, USER).is_ok());
    }

    #[tokio::test]
    async fn one_user_leaves_room_for_others() {
        let watchers = watchers(2 * MAX_OF_USER);
        let watch = |user| Watchers::join(&watchers, 1, user);
        let mut held: Vec<_> = (0..MAX_OF_USER).map(|_| watch(USER).unwrap()).collect();
        assert_eq!(watch(USER).unwrap_err(), Full::User);
        watch(8).unwrap();
        held.pop();
        watch(USER).unwrap();
    }

    #[tokio::test]
    async fn closing_ends_every_watch() {
        let watchers = watchers(2);
        let mut watch = Watchers::join(&watchers, 1, USER).unwrap();
        assert!(!watch.is_closed());
        watchers.close();
        assert!(watch.is_closed());
        watch.wait(FOREVER).await;
        assert!(Watchers::join(&watchers, 1, USER).is_err());
    }
}
