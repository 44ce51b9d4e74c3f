//! What the organisation's page shows, and what opens the organisation: API keys and playback tokens.

use afterlive_domain::organisation::{RecordingRules, RecordingSettings, Settings};
use afterlive_domain::{EmbedDomains, KeyId, OrganisationHash, Region, Role, Tags, TokenId, UnixMillis};
use serde::{Deserialize, Serialize};

/// A playback token that was given a label: what it says, never itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlaybackTokenRow {
    pub id: TokenId,
    pub label: String,
    pub scope: TokenScope,
    pub not_before: Option<UnixMillis>,
    pub expires_at: UnixMillis,
    /// Addresses and networks; empty where any will do.
    pub ips: Vec<String>,
    /// Empty where any will do.
    pub domains: Vec<String>,
    /// Who made it, in words for people.
    pub made_by: String,
    pub created_at: UnixMillis,
}

/// What a playback token is good for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TokenScope {
    Organisation,
    Stream,
    /// Streams that have each of them.
    Tags(Tags),
}

/// A token to be made for one stream, as people type it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TokenForm {
    pub label: String,
    pub expires_in_s: u64,
    pub ips: Vec<String>,
    pub domains: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApiKeyRow {
    pub id: KeyId,
    pub label: String,
    /// `None` of a player key.
    pub role: Option<Role>,
    /// Its first letters.
    pub hint: String,
    pub created_at: UnixMillis,
    pub last_used_at: Option<UnixMillis>,
    /// `None`: until it is revoked.
    pub expires_at: Option<UnixMillis>,
    /// Whether that was before now.
    pub has_expired: bool,
}

/// A key to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyForm {
    pub label: String,
    /// `None` for a player key.
    pub role: Option<Role>,
    /// `None`: until it is revoked.
    pub expires_in_s: Option<u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegionRow {
    pub region: Region,
    pub vod_url: String,
    /// Where this node's recordings go unless the encoder's host name says otherwise.
    pub is_default: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OrganisationPage {
    pub name: String,
    pub hash: OrganisationHash,
    pub settings: Settings,
    pub recording: RecordingSettings,
    /// What holds where the organisation has set nothing.
    pub recording_rules: RecordingRules,
    /// Which sites may show the player in a frame.
    pub embed_domains: EmbedDomains,
    /// Who is asked before an encoder may publish. All of it for admins only.
    pub webhook: Option<String>,
    /// Whether an encoder must show its stream's publish key.
    pub publish_key_required: bool,
    /// So long what is deleted can be restored.
    pub bin_days: u64,
    pub regions: Vec<RegionRow>,
    /// Newest first, without the revoked. `None` where the caller may not see them.
    pub keys: Option<Vec<ApiKeyRow>>,
    pub api_url: String,
}
