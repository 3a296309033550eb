//! The auth bounded context: who somebody is, and how they prove it.
//!
//! It owns users, sessions with their refresh tokens, API keys and the keys
//! that sign access tokens. It knows no database, cache, broker or HTTP
//! framework: what it needs of them it names in [`ports`], and whoever embeds
//! the crate hands it implementations. It depends on `std` and `serde`, and a
//! test keeps it that way. `examples/embedding` is the smallest program
//! around it.

mod access;
mod api_key;
mod email;
mod error;
#[path = "kernel.gen.rs"]
mod kernel;
#[path = "model.gen.rs"]
mod model;
pub mod ports;
mod service;
mod session;
mod user;

pub use access::{Claims, Identity};
pub use api_key::{ApiKey, NewApiKey};
pub use email::Email;
pub use error::{Error, Result};
pub use kernel::*;
pub use model::*;
pub use service::{
    Adapters, Login, PasswordChange, Registration, Service, Settings, SignedIn, UserChanges,
    is_api_key,
};
pub use session::Session;
pub use user::User;
