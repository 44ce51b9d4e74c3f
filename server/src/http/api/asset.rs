//! Calls on one recording.

pub(in crate::http) mod report;
