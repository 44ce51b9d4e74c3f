//! A key as the API writes it. All of it is ours; the key itself is in the answer that makes it, and in no other.

use afterlive_domain::{KeyId, KeyUse, Role, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::api_keys::ApiKey;
use crate::http::api::doc::EXAMPLE_KEY;

/// What is known of a key; never the key itself.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Key", example = example())]
pub struct KeyJson {
    id: KeyId,
    /// What it is for, in words for people.
    label: String,
    kind: KeyUse,
    /// Null for a player key.
    role: Option<Role>,
    /// The key's first letters, to tell keys apart.
    hint: String,
    created_at: UnixMillis,
    /// To the minute; null before the first use.
    last_used_at: Option<UnixMillis>,
    /// Null where it is good until it is revoked.
    expires_at: Option<UnixMillis>,
    /// Whether its end has passed.
    expired: bool,
}

impl KeyJson {
    pub fn new(key: ApiKey, now: UnixMillis) -> Self {
        let (role, expired) = (key.shown_role(), key.has_expired(now));
        Self {
            id: key.id,
            label: key.label,
            kind: key.kind,
            role,
            hint: key.hint,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            expired,
        }
    }
}

/// The example in the document.
pub(super) fn example() -> Value {
    json!({
        "id": EXAMPLE_KEY,
        "label": "Website",
        "kind": "api",
        "role": "nanoReadOnly",
        "hint": "4f1f6c",
        "created_at": "2026-11-04T17:09:19.899Z",
        "last_used_at": null,
        "expires_at": null,
        "expired": false,
    })
}
