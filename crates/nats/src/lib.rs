//! Published events and wake-ups by NATS with `JetStream`, for any number of nodes.
//!
//! [`Nats`] is one connection, which looks after itself: it is there before the server is, and again
//! within seconds after the server was gone. [`NatsEvents`] keeps published events in a stream, from which
//! every node of this system hears of them, and programs outside too, by consumers of their own (see
//! [`NatsEvents`] for what they find). [`Nats::wakeups`] wake whoever waits for work, here at once and
//! elsewhere by a message that may be lost.
//!
//! While NATS is gone, nothing fails but [`Publisher::publish`], which is told at once and tries
//! again, and nobody waits longer than [`Settings::timeout`].
//!
//! [`Publisher::publish`]: archesai_platform::events::Publisher::publish

mod breaker;
mod connection;
mod error;
mod events;
mod follow;
mod settings;
mod stream;
mod wakeups;
mod wire;

pub use connection::Nats;
pub use error::{Error, OpenError};
pub use events::NatsEvents;
pub use settings::Settings;
