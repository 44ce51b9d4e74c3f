//! Calls about where an organisation's programs are told of events, and the JSON that they answer with; and what is told.

pub mod change;
pub mod create;
pub mod delete;
pub mod deliveries;
mod json;
pub mod list;
mod path;
pub mod resend;
pub mod rotate_secret;
pub mod secret;
pub mod test;
pub mod told;
