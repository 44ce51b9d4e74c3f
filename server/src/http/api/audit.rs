//! Calls about the audit log.

pub mod export;
mod json;
