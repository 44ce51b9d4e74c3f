//! Calls about the organisation.

pub mod get;
