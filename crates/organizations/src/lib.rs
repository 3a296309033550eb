//! The organizations bounded context: who belongs where, and as what.
//!
//! It owns organizations, their members and invitations, and the rules between
//! them: roles include one another, and an organization always keeps an owner.
//! It also keeps what each of them did, as whoever reads the event log tells it.
//! It depends on `std` and `serde`; what else it needs it names in [`ports`].

mod error;
mod invitation;
#[path = "kernel.gen.rs"]
mod kernel;
mod member;
#[path = "model.gen.rs"]
mod model;
mod organization;
pub mod ports;
mod service;
mod usage;

pub use error::{Error, Result};
pub use invitation::Invitation;
pub use kernel::*;
pub use member::Member;
pub use model::*;
pub use organization::{Membership, Organization, Plan};
pub use service::{Actor, Adapters, NewInvitation, Service, Settings};
pub use usage::{Counts, DailyUsage, Day, Figures, Tally, Usage};
