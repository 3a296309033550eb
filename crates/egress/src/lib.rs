//! The only HTTP client that may follow a URL a user gave.
//!
//! Whoever can make a server fetch an address of their choice can reach what only the server
//! should: its own ports, its network, the metadata service of its cloud (server-side request
//! forgery). [`Client`] reaches public addresses only, whatever the URL looks like:
//!
//! - A host that is an address, in any of the spellings that the URL standard
//!   (<https://url.spec.whatwg.org/#host-parsing>) knows, is judged as the address it means.
//! - A name is judged by the addresses it has at the moment of connecting, and the connection
//!   goes to one of the very addresses that were judged: a second look-up with another answer
//!   (DNS rebinding) has nothing to say.
//! - Every redirect is judged like the first URL, and takes nothing confidential to another origin.
//! - There is no proxy, whatever the environment says, and no decompression.
//! - The whole exchange has a deadline and the body a limit.
//!
//! What an operator wants reached all the same is named by [`Rule`]s.

mod address;
mod client;
mod error;
mod exchange;
mod resolver;
mod rule;
mod url;

pub use address::Kind;
pub use client::{Client, Config};
pub use error::{Error, Result};
pub use exchange::{Request, Response};
pub use resolver::{Looking, Lookup, SystemLookup};
pub use rule::Rule;
