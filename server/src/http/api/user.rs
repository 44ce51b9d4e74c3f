//! Calls about who calls.

pub mod validate;
