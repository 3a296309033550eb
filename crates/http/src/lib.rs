//! The HTTP API: requests in, answers and problems out.
//!
//! The contract in `api-spec/` is the source: `generated` holds its types, one
//! trait per tag, and thin handlers which do the same things in the same order
//! for every operation: rate limit, authentication, authorization, parsing,
//! the use case, the answer ([`call`]). `handlers` implements the traits over
//! the domains' services. Nothing here knows which adapters are behind them.

mod answer;
mod app;
mod body;
mod brake;
pub mod call;
mod caller;
mod condition;
mod docs;
#[path = "erased.gen.rs"]
pub mod erased;
mod exposition;
mod gate;
#[path = "generated/mod.gen.rs"]
pub mod generated;
mod guesses;
pub mod handlers;
mod idempotency;
mod live;
mod observe;
pub mod operation;
mod page;
mod problem;
mod query;
mod room;
mod settings;
mod strict;
mod wording;

pub use answer::{Answer, Created, Given, Versioned};
pub use app::{Api, App};
pub use brake::Brake;
pub use caller::{Caller, Guest};
pub use exposition::Metrics;
pub use gate::{Check, Gate, Identities, Readiness};
pub use guesses::Guesses;
pub use live::Live;
pub use observe::observe;
pub use operation::{Access, Operation, Place};
pub use problem::{Fault, Problem};
pub use room::Room;
pub use settings::Settings;
