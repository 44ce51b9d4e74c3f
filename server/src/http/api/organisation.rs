//! Calls about the organisation, and the JSON that they answer with.

pub mod get;
mod json;
pub mod renew_playback_secret;
pub mod require_publish_key;
pub mod set_recording;
pub mod set_webhook;
