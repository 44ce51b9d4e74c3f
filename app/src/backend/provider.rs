//! The provider by which people may sign in besides their passwords.

use afterlive_domain::UnixMillis;
use serde::{Deserialize, Serialize};

/// How a user stands to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// As people call it.
    pub provider: String,
    /// `None` where the user is not connected.
    pub account: Option<ProviderAccount>,
}

/// Somebody's account there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProviderAccount {
    /// What it was called when it was connected.
    pub called: String,
    pub connected_at: UnixMillis,
}

/// What came of disconnecting. Not an error: each is an answer that the form shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Disconnected {
    Done,
    /// Done; this browser could not be signed in anew.
    NotSignedIn,
    WrongPassword,
    /// The provider is the only way in.
    NoPassword,
    TooManyAttempts {
        retry_after_s: u32,
    },
}
