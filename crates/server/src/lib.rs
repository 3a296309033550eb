//! The composition root: configuration, choice of adapters, start and stop.
//!
//! Everything is plugged together here and nowhere else. [`cli`] reads what is
//! asked for, [`config`] what is set, [`compose`] builds the services on their
//! adapters, and [`serve`] runs them until somebody stops the process.

pub mod audit;
pub mod cli;
pub mod compose;
pub mod config;
pub mod erased;
mod observability;
mod replay;
pub mod serve;
