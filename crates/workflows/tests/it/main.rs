//! Tests of the workflows domain through its public interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on is one that fails"
)]

mod bounds;
mod definitions;
mod faults;
mod properties;
mod runs;
mod support;

#[path = "../../examples/embedding/main.rs"]
mod embedding;

#[test]
fn the_embedding_example_runs() {
    embedding::main().expect("the example ends well");
}
