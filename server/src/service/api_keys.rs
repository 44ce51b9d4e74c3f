//! API keys: made, listed, revoked.

use afterlive_domain::{Error as Refusal, KeyId, Permission, Role};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Caller, Result, Service, text};
use crate::db;
use crate::db::api_keys::ApiKey;
use crate::hexadecimal::hexadecimal;
use crate::random;

/// How much of a key is kept in clear: enough to tell keys apart, far too little to guess the rest.
const HINT_CHARS: usize = 6;
/// The most keys that an organisation may have at a time.
const MAX_KEYS: usize = 1_000;

/// A key that was just made. The only time that it is in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct NewApiKey {
    pub row: ApiKey,
    /// What the program sends.
    pub secret: String,
}

impl std::fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewApiKey").field("row", &self.row).finish_non_exhaustive()
    }
}

impl NewApiKey {
    pub(super) fn draw(
        organisation: afterlive_domain::OrganisationId,
        label: String,
        role: Role,
        now: afterlive_domain::UnixMillis,
    ) -> Self {
        let secret = hexadecimal(&random::secret_bytes());
        let hint = secret[..HINT_CHARS].to_owned();
        let id = KeyId(Uuid::new_v4());
        Self { row: ApiKey { id, organisation, label, role, hint, created_at: now, last_used_at: None }, secret }
    }
}

/// A key of 256 random bits needs no salt and no slow hash: there is no dictionary of them.
pub(super) fn secret_hash(key: &str) -> String {
    hexadecimal(&Sha256::digest(key.as_bytes()))
}

impl Service {
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn api_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>> {
        caller.require(Permission::Administer)?;
        Ok(db::api_keys::list(&mut self.db.read().await?, caller.organisation).await?)
    }

    /// # Errors
    /// `Denied` for all but admins; for `label` where it is empty or too long.
    pub async fn create_api_key(&self, caller: &Caller, label: &str, role: Role) -> Result<NewApiKey> {
        caller.require(Permission::Administer)?;
        let label = text::name("label", label)?;
        let key = NewApiKey::draw(caller.organisation, label, role, self.clock.now());
        let mut tx = self.db.write().await?;
        if db::api_keys::list(&mut tx, caller.organisation).await?.len() >= MAX_KEYS {
            return Err(Refusal::WrongState { state: format!("{MAX_KEYS} keys, which is the most") }.into());
        }
        db::api_keys::insert(&mut tx, &key.row, &secret_hash(&key.secret)).await?;
        tx.commit().await?;
        tracing::info!(key = %key.row.id, %role, "made an API key");
        Ok(key)
    }

    /// Revokes a key at once; one that is revoked already, or another organisation's, is left alone.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn revoke_api_key(&self, caller: &Caller, id: KeyId) -> Result<bool> {
        caller.require(Permission::Administer)?;
        let mut tx = self.db.write().await?;
        let revoked = db::api_keys::revoke(&mut tx, caller.organisation, id, self.clock.now()).await?;
        tx.commit().await?;
        if revoked {
            tracing::info!(key = %id, "revoked an API key");
        }
        Ok(revoked)
    }
}
