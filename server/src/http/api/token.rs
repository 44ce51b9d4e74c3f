pub mod create;
mod json;
pub mod list;
pub mod revoke;
pub mod verify;
