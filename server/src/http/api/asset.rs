//! Calls on one recording.

pub(super) mod report;
