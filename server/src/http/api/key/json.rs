//! A key as the API writes it. All of it is ours; the key itself is in the answer that makes it, and in no other.

use afterlive_domain::{KeyId, KeyUse, Role, UnixMillis};
use serde::Serialize;

use crate::db::api_keys::ApiKey;

#[derive(Serialize)]
pub struct KeyJson {
    id: KeyId,
    label: String,
    kind: KeyUse,
    /// Null for a player key.
    role: Option<Role>,
    /// The key's first letters.
    hint: String,
    created_at: UnixMillis,
    /// To the minute; null before the first use.
    last_used_at: Option<UnixMillis>,
    /// Null where it is good until it is revoked.
    expires_at: Option<UnixMillis>,
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
