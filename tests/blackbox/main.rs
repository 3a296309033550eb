//! The server as its clients see it: the real binary, over HTTP, on real files.

mod auth;
mod bad_input;
mod contract;
mod organizations;
mod support;
