//! The REST API over the router and a real database: what programs written against it take for granted.

mod assets;
mod errors;
mod keys;
mod library;
mod log;
mod permissions;
mod players;
mod publish_keys;
mod sessions;
pub mod streams;
pub mod webhook;
