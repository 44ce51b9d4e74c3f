//! Calls about who calls.

pub mod get;
pub mod permissions;
pub mod validate;
