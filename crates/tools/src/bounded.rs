//! Runs work on untrusted input on a thread of its own, with a deadline, a deep stack, and a net under its panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// A flag that the caller raises when it no longer waits; the work looks at it between its steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Whether the caller has given up.
    pub(crate) fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why work on another thread gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The deadline passed. The thread ends at its next look at the flag.
    TimedOut,
    /// The work panicked.
    Panicked,
    /// The system refused another thread.
    NoThread,
}

/// Runs `work` on a thread with `stack` bytes and waits for it at most `time`.
///
/// The stack is address space: only the pages that are touched become memory. A thread that cannot be stopped in the middle
/// of a library's call is left behind and its answer is dropped.
pub(crate) fn run<T, F>(stack: usize, time: Duration, work: F) -> Result<T, Stopped>
where
    T: Send + 'static,
    F: FnOnce(&Cancel) -> T + Send + 'static,
{
    let cancel = Cancel::default();
    let flag = cancel.clone();
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("tool".to_owned())
        .stack_size(stack)
        .spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| work(&flag)));
            // Nobody listens after the deadline, and then the answer is not wanted.
            drop(sender.send(answer));
        })
        .map_err(|_| Stopped::NoThread)?;
    let answer = receiver.recv_timeout(time);
    cancel.0.store(true, Ordering::Relaxed);
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(Stopped::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(Stopped::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back() {
        assert_eq!(run(1 << 20, Duration::from_secs(10), |_| 7), Ok(7));
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let outcome = run(1 << 20, Duration::from_secs(10), |_| -> u8 {
            std::panic::resume_unwind(Box::new("gone"))
        });
        assert_eq!(outcome, Err(Stopped::Panicked));
    }

    #[test]
    fn the_deadline_stops_endless_work() {
        let outcome = run(1 << 20, Duration::from_millis(50), |cancel| {
            while !cancel.raised() {
                std::hint::spin_loop();
            }
        });
        assert_eq!(outcome, Err(Stopped::TimedOut));
    }
}
