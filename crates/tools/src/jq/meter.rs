//! Counts what a running filter costs and ends it when that is too much.
//!
//! The interpreter has no limits of its own: a filter may produce values for ever, recurse for ever, or build a value larger
//! than the memory. But it looks every term up in its program and copies, makes or compares values, and both the program and
//! the values are this crate's own types (`super::functions`, `super::value`), so each of these passes here. There is no way to hand an error through a copy, and an error could be
//! caught by the filter's own `try`; so the thread unwinds, with a payload that the caller knows.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

use crate::bounded::Cancel;

/// How many steps pass between two looks at the deadline.
const STRIDE: u64 = 1 << 10;

/// Why a filter was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Too many steps.
    Steps,
    /// Too much memory at once.
    Memory,
    /// One value is too large.
    Size,
    /// A value is nested too deep.
    Depth,
    /// The filter calls itself too deep.
    Recursion,
    /// The deadline passed.
    Time,
}

/// What a filter may cost; the fields are those of `super::Limits`.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) steps: u64,
    pub(super) memory: u64,
    pub(super) size: u64,
    pub(super) stack: usize,
    pub(super) cancel: Cancel,
}

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static LOOK: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<u64> = const { Cell::new(0) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
    static BASE: Cell<usize> = const { Cell::new(0) };
}

/// Starts to count on this thread.
pub(super) fn start(meter: Meter) {
    BASE.set(here());
    STEPS.set(meter.steps);
    LOOK.set(meter.steps);
    LIVE.set(0);
    NESTED.set(0);
    METER.set(Some(meter));
}

/// An address near the top of the stack.
fn here() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

fn end(reason: Ended) -> ! {
    resume_unwind(Box::new(reason))
}

/// Counts steps.
pub(super) fn steps(count: u64) {
    let Some(left) = STEPS.get().checked_sub(count) else {
        end(Ended::Steps)
    };
    STEPS.set(left);
    if LOOK.get().saturating_sub(left) >= STRIDE {
        LOOK.set(left);
        look_around();
    } else {
        check_stack();
    }
}

fn look_around() {
    check_stack();
    if METER.with_borrow(|meter| meter.as_ref().is_some_and(|meter| meter.cancel.raised())) {
        end(Ended::Time);
    }
}

fn check_stack() {
    let used = BASE.get().abs_diff(here());
    let most = METER.with_borrow(|meter| meter.as_ref().map_or(usize::MAX, |meter| meter.stack));
    if used > most {
        end(Ended::Recursion);
    }
}

/// Most calls of functions that call themselves with filters.
const MAX_NESTED: u32 = 100_000;

/// Counts a call of a function that calls itself with a filter.
pub(super) fn nested() {
    NESTED.set(NESTED.get() + 1);
    if NESTED.get() > MAX_NESTED {
        end(Ended::Recursion);
    }
}

/// Memory that a value holds; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Held(u64);

impl Held {
    /// Counts `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        let mut held = Self(0);
        held.grow(bytes);
        held
    }

    /// Counts `bytes` more.
    pub(super) fn grow(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        steps(1 + bytes / 256);
        let live = LIVE.get() + bytes;
        if METER.with_borrow(|meter| meter.as_ref().is_some_and(|meter| live > meter.memory)) {
            end(Ended::Memory);
        }
        LIVE.set(live);
        self.0 += bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Values may be dropped after the thread's own values are gone; then nobody counts any more.
        let _ = LIVE.try_with(|live| live.set(live.get().saturating_sub(self.0)));
    }
}

/// Checks the size and depth of a value that is being made.
pub(super) fn shape(size: u64, depth: u32) {
    if METER.with_borrow(|meter| meter.as_ref().is_some_and(|meter| size > meter.size)) {
        end(Ended::Size);
    }
    if depth > super::MAX_DEPTH {
        end(Ended::Depth);
    }
}
