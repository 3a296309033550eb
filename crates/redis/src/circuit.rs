//! The circuit breaker: whether Redis is asked at all, and what it is owed.
//!
//! There is a connection or there is none, and with none everybody is answered at once. Failures
//! in a row, or a connection that breaks, take the connection away; whoever tends it brings a new
//! one.
//!
//! A removal that may not have been carried out is owed, and takes the connection away by itself:
//! nobody reads through one while something is owed, and none is brought before all is settled.
//! So a value whose removal failed is never recalled here.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// How many commands may fail in a row.
const FAILURES: u32 = 3;

/// How many keys are remembered at most whose removal is owed. Beyond, the removal of all is.
const REMEMBERED: usize = 10_000;

/// The way to Redis, while there is one.
pub(crate) struct Circuit<L> {
    state: Mutex<State<L>>,
    is_closed: watch::Sender<bool>,
}

struct State<L> {
    link: Option<L>,
    /// How many connections there have been: the number of this one, or the last.
    number: u64,
    /// How many commands failed since one succeeded.
    failures: u32,
    owed: Owed,
}

/// What must be removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// These keys.
    pub(crate) keys: HashSet<String>,
    /// Everything that is cached.
    pub(crate) everything: bool,
}

impl Owed {
    /// Whether it is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.everything
    }

    fn add(&mut self, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            if self.everything {
                return;
            }
            self.keys.insert(key);
            if self.keys.len() > REMEMBERED {
                self.add_everything();
            }
        }
    }

    fn add_everything(&mut self) {
        self.everything = true;
        self.keys = HashSet::new();
    }
}

impl<L: Clone> Circuit<L> {
    /// Open: without a connection.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                link: None,
                number: 0,
                failures: 0,
                owed: Owed::default(),
            }),
            is_closed: watch::Sender::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, state: &mut State<L>) {
        state.link = None;
        self.is_closed.send_replace(false);
    }

    /// The connection and its number, to report by how it did.
    pub(crate) fn link(&self) -> Option<(L, u64)> {
        let state = self.lock();
        let link = state.link.clone()?;
        Some((link, state.number))
    }

    /// A command succeeded.
    pub(crate) fn succeeded(&self, number: u64) {
        let mut state = self.lock();
        if state.number == number {
            state.failures = 0;
        }
    }

    /// A command failed; whether the connection `is_broken` by it.
    pub(crate) fn failed(&self, number: u64, is_broken: bool) {
        let mut state = self.lock();
        if state.number != number {
            return;
        }
        state.failures += 1;
        if is_broken || state.failures >= FAILURES {
            self.open(&mut state);
        }
    }

    /// A key may not have been removed.
    pub(crate) fn owe(&self, key: String) {
        let mut state = self.lock();
        state.owed.add([key]);
        self.open(&mut state);
    }

    /// What was taken to be settled was not.
    pub(crate) fn owe_again(&self, owed: Owed) {
        let mut state = self.lock();
        if owed.everything {
            state.owed.add_everything();
        }
        state.owed.add(owed.keys);
    }

    /// Takes what is owed, to settle it.
    pub(crate) fn take_owed(&self) -> Owed {
        mem::take(&mut self.lock().owed)
    }

    /// Brings a connection, unless something is owed; whether it was taken.
    pub(crate) fn close(&self, link: L) -> bool {
        let mut state = self.lock();
        let is_settled = state.owed.is_empty();
        if is_settled {
            state.link = Some(link);
            state.number += 1;
            state.failures = 0;
            self.is_closed.send_replace(true);
        }
        is_settled
    }

    /// Whether there is a connection.
    pub(crate) fn is_closed(&self) -> bool {
        *self.is_closed.borrow()
    }

    /// Waits until there is a connection, or none.
    pub(crate) async fn wait(&self, closed: bool) {
        let mut is_closed = self.is_closed.subscribe();
        // The sender is in `self`, so the channel does not end.
        _ = is_closed.wait_for(|is_closed| *is_closed == closed).await;
    }

    /// How many removals are owed.
    pub(crate) fn owed(&self) -> usize {
        let state = self.lock();
        if state.owed.everything {
            return REMEMBERED;
        }
        state.owed.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Circuit<()> {
        let circuit = Circuit::new();
        assert_eq!(circuit.link(), None);
        assert!(circuit.close(()));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let circuit = closed();
        for _ in 0..3 {
            circuit.failed(1, false);
            circuit.failed(1, false);
            assert!(circuit.is_closed());
            circuit.succeeded(1);
        }
        for _ in 0..FAILURES {
            circuit.failed(1, false);
        }
        assert_eq!(circuit.link(), None);
        assert!(circuit.close(()));
        circuit.failed(2, true);
        assert!(!circuit.is_closed());
    }

    #[test]
    fn an_old_connection_says_nothing_of_the_new_one() {
        let circuit = closed();
        circuit.failed(1, true);
        assert!(circuit.close(()));
        for _ in 0..FAILURES {
            circuit.failed(1, true);
        }
        assert_eq!(circuit.link(), Some(((), 2)));
        circuit.failed(2, false);
        circuit.failed(2, false);
        circuit.succeeded(1);
        circuit.failed(2, false);
        assert!(!circuit.is_closed());
    }

    #[test]
    fn it_stays_open_while_something_is_owed() {
        let circuit = closed();
        circuit.owe("a".to_owned());
        assert_eq!(circuit.link(), None);
        assert!(!circuit.close(()));
        let owed = circuit.take_owed();
        assert_eq!(owed.keys, HashSet::from(["a".to_owned()]));
        circuit.owe("b".to_owned());
        assert!(!circuit.close(()));
        circuit.owe_again(owed);
        assert_eq!(circuit.owed(), 2);
        circuit.take_owed();
        assert!(circuit.close(()));
    }

    #[test]
    fn who_owes_too_much_owes_everything() {
        let circuit = closed();
        for key in 0..=REMEMBERED {
            assert!(!circuit.lock().owed.everything);
            circuit.owe(key.to_string());
        }
        let owed = circuit.take_owed();
        assert!(owed.everything && owed.keys.is_empty());
        circuit.owe("a".to_owned());
        circuit.owe_again(owed);
        assert!(!circuit.close(()));
        assert!(circuit.take_owed().everything);
    }
}
