//! The rules of auth, through its service, over a store in memory.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod api_keys;
mod profile;
mod sessions;
mod sign_in;

use std::time::Duration;

use archesai_auth::{Event, Recorded};
use archesai_conformance::auth::{self as conformance, program};
use embedding::memory::Memory;

#[path = "../../examples/embedding/main.rs"]
mod embedding;

type Program = program::Program<Memory>;

fn program() -> Program {
    Program::new(Memory::default())
}

/// The names of what happened so far.
fn kinds(program: &Program) -> Vec<&'static str> {
    let events = program.auth.store.events();
    events
        .iter()
        .map(|recorded| recorded.event.kind())
        .collect()
}

/// What happened last.
fn last(program: &Program) -> Recorded {
    program.auth.store.events().pop().unwrap()
}

/// Why the session ended that ended last.
fn last_reason(program: &Program) -> String {
    match last(program).event {
        Event::SessionRevoked { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn the_example_runs() {
    embedding::main().unwrap();
}

/// What the rules are tested on keeps the promises of a store.
#[tokio::test]
async fn the_store_in_memory_is_a_store() {
    let store = Memory::default();
    conformance::suite(&store).await;
    conformance::races::suite(&store).await;
}
