//! The second factor: what a user shows beside the password. A part of the port by itself.

use afterlive_domain::{UnixMillis, UserId};
use serde::{Deserialize, Serialize};

use super::Answer;

/// One's own second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SecondFactor {
    /// The password alone signs in.
    Off,
    On {
        since: UnixMillis,
        /// Recovery codes that were not used yet.
        codes_left: u64,
    },
}

/// A secret to be taken into an app, by its QR code or by typing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// In base 32.
    pub secret: String,
    /// Of one side of the QR code with its border, in squares.
    pub qr_size: u64,
    /// Covers the dark squares, as the `d` of an SVG's path.
    pub qr_path: String,
}

/// What came of a password, a code, or both. Not an error: each is an answer that a page shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Proof {
    /// It is done; in this browser one is signed in.
    Done,
    /// It is done; these recovery codes are shown this once.
    Codes(Vec<String>),
    WrongPassword,
    /// There is none, as they came by the sign-in provider.
    NoPassword,
    WrongCode,
    TooManyAttempts {
        retry_after_s: u32,
    },
    /// There were too many wrong codes: of the app none is looked at any more.
    Exhausted,
    /// It took too long, or was done elsewhere: to be begun anew.
    Over,
    /// It is done; this browser could not be signed in anew.
    NotSignedIn,
}

/// Whether everybody of the organisation needs a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecondFactorRule {
    pub is_required: bool,
    /// Whether who asks has one, without which they cannot ask it of others.
    pub has_own: bool,
}

#[async_trait::async_trait]
pub trait SecondFactors: Send + Sync {
    /// Whether somebody has given the right password in this browser, and is asked for a code.
    async fn is_code_asked(&self) -> Answer<bool>;
    /// On `Done` the browser session is signed in, under a new id.
    async fn sign_in_with_code(&self, code: &str) -> Answer<Proof>;
    /// The caller's own.
    async fn second_factor(&self) -> Answer<SecondFactor>;
    /// On `Done` there is an offer.
    async fn begin_second_factor(&self, present: &str) -> Answer<Proof>;
    /// What was begun in this browser.
    async fn second_factor_offer(&self) -> Answer<Option<Offer>>;
    /// On `Codes` all sessions have ended but this browser's, which goes on under a new id.
    async fn confirm_second_factor(&self, code: &str) -> Answer<Proof>;
    async fn renew_recovery_codes(&self, present: &str, code: &str) -> Answer<Proof>;
    /// On `Done` all sessions have ended but this browser's, which goes on under a new id.
    async fn remove_second_factor(&self, present: &str, code: &str) -> Answer<Proof>;
    /// For administrators, as is all that follows.
    async fn reset_second_factor(&self, user: UserId) -> Answer<()>;
    async fn second_factor_rule(&self) -> Answer<SecondFactorRule>;
    async fn require_second_factor(&self, is_required: bool) -> Answer<()>;
}
