//! Starting servers and talking to them.

mod client;
mod server;

pub(crate) use client::{Answer, Client, User};
pub(crate) use server::Server;
