//! Writes that wait: what nobody needs the outcome of goes to the thread of the
//! connection together with what comes next, or with the commit.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::sqlite::SqliteConnection;

use crate::lend::Failure;

type Job = Box<dyn FnOnce(&mut SqliteConnection) -> Result<(), Failure> + Send>;

/// The writes of one transaction that wait.
#[derive(Default)]
pub struct Queue {
    jobs: Mutex<Vec<Job>>,
    taken: AtomicBool,
    /// Whether some of what was taken did not run to its end, as far as anybody knows.
    broken: AtomicBool,
}

/// Writes whose time has come.
pub(crate) struct Batch(Vec<Job>);

impl Queue {
    fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a write wait.
    pub(crate) fn push(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<(), Failure> + Send + 'static,
    ) {
        self.jobs().push(Box::new(job));
    }

    /// Takes what waits, if anything does. Until [`ran`](Self::ran) says that it
    /// went well, the transaction counts as broken: whoever gives up meanwhile
    /// does not know how far it came.
    pub(crate) fn take(&self) -> Result<Option<Batch>, Failure> {
        if self.broken.load(Ordering::Relaxed) {
            return Err("an earlier write of the transaction failed".into());
        }
        let jobs = mem::take(&mut *self.jobs());
        if jobs.is_empty() {
            return Ok(None);
        }
        self.taken.store(true, Ordering::Relaxed);
        self.broken.store(true, Ordering::Relaxed);
        Ok(Some(Batch(jobs)))
    }

    /// Takes down how it went.
    pub(crate) fn ran<T>(&self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let value = outcome?;
        self.broken.store(false, Ordering::Relaxed);
        Ok(value)
    }

    /// Whether anything was ever taken.
    pub(crate) fn was_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Batch {
    /// Writes, up to the first failure.
    pub(crate) fn run(self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(|job| job(connection))
    }
}

#[cfg(test)]
mod tests {
    use diesel::Connection as _;

    use super::*;

    fn connection() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn what_waits_runs_in_its_order_and_once() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let queue = Queue::default();
        assert!(queue.take().unwrap().is_none() && !queue.was_taken());
        for number in 0..3 {
            let sender = sender.clone();
            queue.push(move |_| Ok(sender.send(number)?));
        }
        let batch = queue.take().unwrap().unwrap();
        queue.ran(batch.run(&mut connection())).unwrap();
        assert!(queue.take().unwrap().is_none() && queue.was_taken());
        assert_eq!(receiver.try_iter().collect::<Vec<i32>>(), [0, 1, 2]);
    }

    #[test]
    fn a_transaction_is_broken_by_a_failure_and_by_whoever_gives_up() {
        let failed = Queue::default();
        failed.push(|_| Err("no room".into()));
        failed.push(|_| panic!("nothing comes after a failure"));
        let batch = failed.take().unwrap().unwrap();
        let error = failed.ran(batch.run(&mut connection())).err().unwrap();
        assert_eq!(error.to_string(), "no room");
        assert!(failed.take().is_err());

        let given_up = Queue::default();
        given_up.push(|_| Ok(()));
        drop(given_up.take().unwrap());
        assert!(given_up.take().is_err());
    }
}
