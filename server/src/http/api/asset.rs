//! Calls about recordings, and the JSON that they answer with.

pub(super) mod delete;
pub(super) mod get;
pub(super) mod hold;
mod json;
pub(super) mod list;
mod path;
pub(super) mod report;
pub(super) mod restore;
