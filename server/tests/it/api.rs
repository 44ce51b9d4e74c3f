//! The REST API over the router and a real database: what programs written against it take for granted.

mod assets;
mod endpoints;
mod errors;
mod keys;
mod library;
mod limits;
mod log;
mod nul;
mod openapi;
mod outgoing_log;
mod permissions;
mod players;
mod polling;
mod publish_keys;
mod reference;
mod searches;
pub mod sessions;
pub mod streams;
mod unsent;
pub mod webhook;
