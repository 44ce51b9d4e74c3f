//! Calls about recordings, and the JSON that they answer with.

pub(super) mod delete;
pub(super) mod get;
pub(super) mod hold;
pub(super) mod json;
pub(super) mod list;
pub(in crate::http) mod path;
pub(in crate::http) mod report;
pub(super) mod restore;
