//! Calls about an organisation's keys, and the JSON that they answer with.

pub mod check;
pub mod create;
mod json;
pub mod list;
mod path;
pub mod revoke;
pub mod validate;
