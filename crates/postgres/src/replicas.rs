//! Read replicas. A call whose errand says that it [may lag](crate::errand::Errand::may_lag) goes to
//! one that keeps up, and to the primary where none does or the one that was asked fails: nothing
//! else ever goes to a replica, and nobody hears of one that fails.
//!
//! How far behind a replica is is told by the log of the primary: who has replayed what was written
//! there up to a moment knows all that was committed by then, whatever the clocks say and however
//! long nothing was written.

mod look;

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    database::Database,
    errand::{Errand, Task},
    lend::Pooled,
    settings::{Settings, place},
    task::{Failure, TaskError, TaskResult},
};
use look::{Glass, Trail};

/// How often replicas are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long a look may take.
const GLANCE: Duration = Duration::from_secs(1);

/// How long a call may take on a replica before the primary is asked.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The replicas of a database.
#[derive(Default)]
pub(crate) struct Replicas {
    all: Vec<Replica>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// Told when one failed, so that all are looked at.
    doubted: Notify,
}

struct Replica {
    database: Database,
    place: String,
    fault: Mutex<Option<Fault>>,
}

/// Why a replica is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody has looked yet, or it does not answer.
    Unavailable,
    /// It answers, but not as a replica of this database that the server may use.
    Unfit,
    /// It is too far behind.
    Behind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Unfit => "not fit to be read",
            Self::Behind => "too far behind",
        })
    }
}

impl Replicas {
    /// Those that the settings name, which are looked at from now on.
    pub(crate) fn watch(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let (mut all, mut glasses) = (Vec::new(), Vec::new());
        for url in &settings.replica_urls {
            let settings = Settings {
                url: url.clone(),
                replica_urls: Vec::new(),
                ..settings.clone()
            };
            let place = place(url);
            let fail = |cause: Failure| format!("its replica {place} cannot be used: {cause}");
            glasses.push(Glass::new(&settings).map_err(fail)?);
            all.push(Replica {
                database: Database::new(&settings, "replica").map_err(fail)?,
                fault: Mutex::new(Some(Fault::Unavailable)),
                place,
            });
        }
        let replicas = Arc::new(Self {
            all,
            ..Self::default()
        });
        if !replicas.all.is_empty() {
            let watch = Watch {
                replicas: Arc::downgrade(&replicas),
                primary: Glass::new(settings)?,
                trail: Trail::new(settings.replica_max_lag),
                glasses,
            };
            tokio::spawn(watch.run());
        }
        Ok(replicas)
    }

    /// Why each is passed over, if it is.
    pub(crate) fn faults(&self) -> Vec<Option<Fault>> {
        self.all.iter().map(Replica::fault).collect()
    }

    /// Their databases.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Database> {
        self.all.iter().map(|replica| &replica.database)
    }

    /// Carries a call out on a replica, if one keeps up and does not fail.
    pub(crate) async fn run<T, E>(
        &self,
        errand: Errand,
        task: &impl Task<T, E>,
    ) -> Option<TaskResult<T, E>> {
        let replica = self.next()?;
        let database = &replica.database;
        let pooled = Pooled(database.clone());
        let work = Box::pin(pooled.carry_out(errand, task));
        match database.within(ATTEMPT, work).await {
            Err(TaskError::Database(cause)) => self.doubt(replica, &cause.to_string()),
            Err(TaskError::Failed(cause)) => self.doubt(replica, &cause.to_string()),
            done => Some(done),
        }
    }

    /// Asks it no more until somebody has looked at it, which is soon.
    fn doubt<T>(&self, replica: &Replica, cause: &str) -> Option<T> {
        replica.turn_out(Some(Fault::Unavailable), cause);
        self.doubted.notify_one();
        None
    }

    /// The next that keeps up, in turn.
    fn next(&self) -> Option<&Replica> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len().max(1);
        let (last, next) = self.all.split_at(first);
        let mut in_turn = next.iter().chain(last);
        in_turn.find(|replica| replica.fault().is_none())
    }
}

impl Replica {
    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how it turned out to be. Connections to one that failed may lead nowhere.
    fn turn_out(&self, fault: Option<Fault>, cause: &str) {
        let mut known = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *known, fault);
        drop(known);
        if before == fault {
            return;
        }
        let place = &self.place;
        if let Some(fault) = fault {
            self.database.close_idle();
            tracing::warn!(%place, %fault, cause, "a replica is passed over");
        } else {
            tracing::info!(%place, "a replica is read");
        }
    }
}

/// Looks at replicas as long as somebody may ask them.
struct Watch {
    replicas: Weak<Replicas>,
    primary: Glass,
    trail: Trail,
    glasses: Vec<Glass>,
}

impl Watch {
    async fn run(mut self) {
        while let Some(replicas) = self.replicas.upgrade() {
            self.look_at(&replicas).await;
            let looked = Instant::now();
            _ = timeout(LOOK, replicas.doubted.notified()).await;
            drop(replicas);
            // Whoever fails again and again is not looked at all the time.
            sleep_until(looked + LOOK / 2).await;
        }
    }

    async fn look_at(&mut self, replicas: &Replicas) {
        self.trail.follow(&mut self.primary).await;
        let needed = self.trail.needed();
        let looks = self.glasses.iter_mut().zip(&replicas.all);
        let looks = looks.map(|(glass, replica)| async move {
            match timeout(GLANCE, glass.look()).await {
                Ok(Ok(replayed)) if needed.is_some_and(|needed| replayed >= needed) => {
                    replica.turn_out(None, "");
                }
                Ok(Ok(_)) => replica.turn_out(Some(Fault::Behind), ""),
                Ok(Err((fault, cause))) => replica.turn_out(Some(fault), &cause.to_string()),
                Err(_) => replica.turn_out(Some(Fault::Unavailable), "no answer in time"),
            }
        });
        join_all(looks).await;
    }
}
