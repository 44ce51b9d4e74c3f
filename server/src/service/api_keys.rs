//! API keys and player keys: made, listed, revoked.

use afterlive_domain::{Act, Error as Refusal, KeyId, KeyUse, OrganisationId, Permission, Role, UnixMillis};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::playback::Expiry;
use super::write::Note;
use super::{Caller, Identity, Result, Service, text};
use crate::db;
use crate::db::api_keys::ApiKey;
use crate::hexadecimal::hexadecimal;
use crate::random;

/// How much of a key is kept in clear: enough to tell keys apart, far too little to guess the rest.
const HINT_CHARS: usize = 6;
/// The most keys that an organisation may have at a time, without those that have expired.
pub const MAX_KEYS: usize = 1_000;
/// Keys that have expired are listed for so long, so that people see why a program is refused, and then deleted when another is made.
const EXPIRED_FOR_MS: i64 = 30 * 86_400_000;
/// So long those that were revoked are kept, for who looks into the database for whose they were; then they are deleted in the same way.
const REVOKED_FOR_MS: i64 = 30 * 86_400_000;
/// Of those that have expired at most so many are listed: the ones that did last.
const MAX_EXPIRED: usize = 100;
/// The longest time that a key that is to end can be good for: ten years. One that is to be good for longer is made without an end.
pub const MAX_KEY_LIFETIME_S: u64 = 10 * 366 * 24 * 3_600;

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
        organisation: OrganisationId,
        label: String,
        opens: Opens,
        now: UnixMillis,
        expires_at: Option<UnixMillis>,
    ) -> Self {
        let (kind, role) = match opens {
            Opens::Role(role) => (KeyUse::Api, role),
            Opens::Playout => (KeyUse::Player, Role::ReadOnly),
        };
        let secret = hexadecimal(&random::secret_bytes());
        let hint = secret[..HINT_CHARS].to_owned();
        let id = KeyId(Uuid::new_v4());
        let row = ApiKey { id, organisation, label, kind, role, hint, created_at: now, last_used_at: None, expires_at };
        Self { row, secret }
    }

    pub(super) fn hash(&self) -> String {
        secret_hash(self.row.kind, &self.secret)
    }
}

/// What a key is to open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opens {
    /// An API key: what the role may.
    Role(Role),
    /// A player key: the list of streams, and a stream, as players see them.
    Playout,
}

/// A key that was just revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RevokedKey {
    /// Whether it is the one that the caller sent: its next call is refused.
    pub is_own: bool,
}

/// A key of 256 random bits needs no salt and no slow hash: there is no dictionary of them. A player key's is of what no header can carry: so a node of a version
/// that knows no player keys, hashes a header as it comes and asks for no kind, can be sent nothing by which it takes one for an API key.
pub(super) fn secret_hash(kind: KeyUse, key: &str) -> String {
    let before: &[u8] = match kind {
        KeyUse::Api => b"",
        KeyUse::Player => b"player\0",
    };
    hexadecimal(&Sha256::new().chain_update(before).chain_update(key).finalize())
}

/// Which of an organisation's keys are to be deleted for having expired: long ago, or with too many others after them.
fn outlived(keys: &[ApiKey], now: UnixMillis) -> Vec<KeyId> {
    let mut expired: Vec<(UnixMillis, KeyId)> =
        keys.iter().filter(|key| key.has_expired(now)).filter_map(|key| Some((key.expires_at?, key.id))).collect();
    expired.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
    let is_outlived = |(place, (at, id)): (usize, (UnixMillis, KeyId))| {
        (place >= MAX_EXPIRED || now.ms_since(at) >= EXPIRED_FOR_MS).then_some(id)
    };
    expired.into_iter().enumerate().filter_map(is_outlived).collect()
}

fn end(expiry: Expiry, now: UnixMillis) -> Result<UnixMillis, Refusal> {
    let (parameter, expires_at) = expiry.resolve(now);
    let lifetime_ms = expires_at.ms_since(now);
    if lifetime_ms <= 0 || lifetime_ms > 1_000 * MAX_KEY_LIFETIME_S.cast_signed() {
        let expected = format!("an end in the future, at most {} days ahead", MAX_KEY_LIFETIME_S / 86_400);
        return Err(Refusal::WrongType { parameter: parameter.to_owned(), expected });
    }
    Ok(expires_at)
}

impl Service {
    /// Those that are not revoked, newest first; also those that have expired, so that people see why a program is refused.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn api_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>> {
        caller.require(Permission::Administer)?;
        Ok(db::api_keys::list(&mut self.db.read().await?, caller.organisation).await?)
    }

    /// Makes a key; without an expiry it is good until it is revoked.
    ///
    /// # Errors
    /// `Denied` for all but admins; for `label` where it is empty or too long, for the expiry where it cannot be; `WrongState` where there are too many.
    pub async fn create_api_key(&self, caller: &Caller, label: &str, opens: Opens, expiry: Option<Expiry>) -> Result<NewApiKey> {
        caller.require(Permission::Administer)?;
        let now = self.clock.now();
        let label = text::name("label", label)?;
        let expires_at = expiry.map(|expiry| end(expiry, now)).transpose()?;
        let key = NewApiKey::draw(caller.organisation, label, opens, now, expires_at);
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let keys = db::api_keys::list(&mut tx, caller.organisation).await?;
        if keys.iter().filter(|key| !key.has_expired(now)).count() >= MAX_KEYS {
            return Err(Refusal::WrongState { state: format!("{MAX_KEYS} keys, which is the most") }.into());
        }
        for outlived in outlived(&keys, now) {
            db::api_keys::delete(&mut tx, caller.organisation, outlived).await?;
        }
        db::api_keys::delete_revoked(&mut tx, caller.organisation, now.plus_ms(-REVOKED_FOR_MS)).await?;
        db::api_keys::insert(&mut tx, &key.row, &key.hash()).await?;
        let opened = key.row.shown_role().map_or("for players".to_owned(), |role| format!("as {role}"));
        tx.commit(Note::of(Act::KeyMade, key.row.id).saying(opened)).await?;
        tracing::info!(key = %key.row.id, ?opens, by = %caller.identity, "made a key");
        Ok(key)
    }

    /// Revokes a key: the next request with it is refused, on every node, since each looks it up in the database, and who watches with it is cut. The
    /// caller's own may be revoked, and the last one too: who signs in to the dashboard makes another. `None` where there is no such key, or it is revoked already.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn revoke_api_key(&self, caller: &Caller, id: KeyId) -> Result<Option<RevokedKey>> {
        caller.require(Permission::Administer)?;
        let hash = self.organisation(caller).await?.hash;
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if !db::api_keys::revoke(&mut tx, caller.organisation, id, self.clock.now()).await? {
            tx.roll_back();
            return Ok(None);
        }
        tx.commit(Note::of(Act::KeyRevoked, id)).await?;
        self.ask_viewers_again(&hash);
        tracing::info!(key = %id, by = %caller.identity, "revoked a key");
        Ok(Some(RevokedKey { is_own: caller.identity == Identity::Key(id) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn a_key(expires_at: Option<UnixMillis>) -> ApiKey {
        let organisation = OrganisationId(Uuid::from_u128(9));
        NewApiKey::draw(organisation, "x".to_owned(), Opens::Role(Role::User), NOW, expires_at).row
    }

    #[test]
    fn what_has_expired_is_listed_for_a_month_and_a_hundred_at_most() {
        let at = |ms: i64| Some(NOW.plus_ms(ms));
        let (good, endless) = (a_key(at(1)), a_key(None));
        let (now, nearly, long) = (a_key(at(0)), a_key(at(1 - EXPIRED_FOR_MS)), a_key(at(-EXPIRED_FOR_MS)));
        let keys = [long.clone(), good.clone(), now.clone(), endless.clone(), nearly.clone()];
        assert_eq!(outlived(&keys, NOW), [long.id]);
        let mut keys: Vec<ApiKey> = (0..100).map(|n| a_key(at(-n))).collect();
        keys.extend([nearly.clone(), good, endless]);
        assert_eq!(outlived(&keys, NOW), [nearly.id]);
    }

    #[test]
    fn a_player_keys_hash_is_of_what_no_header_can_carry() {
        let key = a_key(None).id.to_string();
        let hashed = [b"player\0", key.as_bytes()].concat();
        assert_eq!(secret_hash(KeyUse::Player, &key), hexadecimal(&Sha256::digest(&hashed)));
        assert!(http::HeaderValue::from_bytes(&hashed).is_err());
        assert_eq!(secret_hash(KeyUse::Api, &key), hexadecimal(&Sha256::digest(key.as_bytes())));
    }
}
