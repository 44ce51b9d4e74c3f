//! Calls about streams, and the JSON that they all answer with.

pub mod create;
mod cursor;
pub mod delete;
mod example;
pub mod get;
mod json;
pub mod list;
pub mod lock;
mod path;
pub mod public;
pub mod renew_publish_key;
pub mod set_processing;
pub mod set_push_url;
pub mod set_tags;
pub mod stop;
pub mod unlock;
pub mod validate;
