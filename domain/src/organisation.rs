//! Organisations: the settings their admins switch.

use serde::{Deserialize, Serialize};

/// What an organisation's admins switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Off: `/rec` behaves as `/live`.
    pub recording_enabled: bool,
    /// On: recordings are listed in answers without a key, and their pages open without signing in.
    pub vod_public: bool,
}

impl Default for Settings {
    /// Recording is what people come for, so it is on; what they record is nobody else's until they say so.
    fn default() -> Self {
        Self { recording_enabled: true, vod_public: false }
    }
}
