//! Calls about tags.

pub mod list;
