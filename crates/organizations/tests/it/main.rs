//! The rules of organizations, through its service, over a store in memory.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

mod invitations;
mod members;
mod memory;
mod organizations;
mod usage;

use archesai_conformance::organizations::{self as conformance, program};
use memory::Memory;

type Program = program::Program<Memory>;

fn program() -> Program {
    Program::new(Memory::default())
}

/// The names of what happened so far.
fn kinds(program: &Program) -> Vec<&'static str> {
    let events = program.organizations.store.events();
    events
        .iter()
        .map(|recorded| recorded.event.kind())
        .collect()
}

/// What the rules are tested on keeps the promises of a store.
#[tokio::test]
async fn the_store_in_memory_is_a_store() {
    let store = Memory::default();
    conformance::suite(&store).await;
    conformance::races::suite(&store).await;
    conformance::usage::suite(&store).await;
}
