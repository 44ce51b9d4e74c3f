//! Playback tokens that are good for nothing any more before their end: a single one, or all of an organisation's at once, by another secret.

use afterlive_domain::{Act, Error as Refusal, Permission, Role, ThingKind, TokenId, UnixMillis};

use super::signing_key;
use super::token::{Claims, LEEWAY_S, MAX_LIFETIME_S};
use super::tokens::wrong;
use crate::db;
use crate::db::audit::Thing;
use crate::hexadecimal::hexadecimal;
use crate::random;
use crate::service::write::Note;
use crate::service::{Caller, Result, Service};

/// The most revoked tokens of an organisation that have not expired. Nobody is put off the list for another: that one would be good again.
pub const MAX_REVOKED: u32 = 10_000;
/// Where there are so many no more are revoked by who is no administrator: the rest is for those who must be able to. Who makes tokens can make as many as they like, and revoke
/// each.
pub const MAX_REVOKED_BY_USERS: u32 = 9_000;

/// Which token is to be revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RevokedToken<'a> {
    Id(TokenId),
    Token(&'a str),
}

impl Service {
    /// Revokes a token by its id, or by itself; at once on this node, within some seconds on others. One that has expired already, or that is revoked, is left alone.
    ///
    /// # Errors
    /// `Denied` for readers, and for all but admins where the id is not on the list, which may be anybody's invention; for `token` where it is none of the organisation's;
    /// `WrongState` where there are too many.
    pub async fn revoke_playback_token(&self, caller: &Caller, which: RevokedToken<'_>) -> Result<TokenId> {
        caller.require(Permission::EditStreams)?;
        let now = self.clock.now();
        let hash = self.organisation(caller).await?.hash;
        let (id, expires_at) = self.to_be_revoked(caller, which, now).await?;
        // Leeway included.
        let expires_at = expires_at.plus_ms(1_000 * LEEWAY_S);
        if expires_at <= now {
            return Ok(id);
        }
        let mut tx = self.write_as(caller, Permission::EditStreams).await?;
        let until = db::playback::revoked_until(&mut tx, caller.organisation, id).await?;
        if until.is_some_and(|until| until >= expires_at) {
            tx.roll_back();
            return Ok(id);
        }
        let most = if caller.role == Role::Admin { MAX_REVOKED } else { MAX_REVOKED_BY_USERS };
        // What is among those that count already takes no place by staying for longer.
        let is_counted = until.is_some_and(|until| until > now);
        if !is_counted && db::playback::count_revoked(&mut tx, caller.organisation, now, most).await? >= u64::from(most) {
            return Err(Refusal::WrongState { state: too_many(most) }.into());
        }
        // Of two that revoke it at once one does.
        if db::playback::revoke(&mut tx, caller.organisation, id, expires_at, now).await? {
            tx.commit(Note::of(Act::PlaybackTokenRevoked, Thing::new(ThingKind::PlaybackToken, id, ""))).await?;
            self.forget_policy(&hash);
            tracing::info!(token = %id, by = %caller.identity, "revoked a playback token");
        } else {
            tx.roll_back();
        }
        Ok(id)
    }

    /// Its id, and when it expires.
    async fn to_be_revoked(&self, caller: &Caller, which: RevokedToken<'_>, now: UnixMillis) -> Result<(TokenId, UnixMillis)> {
        match which {
            RevokedToken::Token(token) => {
                let secret = db::playback::secret(&mut self.db.read().await?, caller.organisation).await?;
                let claims = Claims::read(secret.as_deref().map(signing_key).as_ref(), token);
                let claims = claims.map_err(|_| wrong("token", "a playback token of this organisation"))?;
                Ok((claims.id, claims.expires_at))
            }
            RevokedToken::Id(id) => {
                if let Some(expires_at) = db::playback::expiry(&mut self.db.read().await?, caller.organisation, id).await? {
                    return Ok((id, expires_at));
                }
                // Whether there is such a token nobody knows, nor when it expires: not later than this, and so long it stands on the list.
                caller.require(Permission::Administer)?;
                Ok((id, now.plus_ms(1_000 * MAX_LIFETIME_S.cast_signed())))
            }
        }
    }

    /// Gives the organisation another secret for its playback tokens: all that were made end, with a label or without, also those in the addresses that its pages show; at once on
    /// this node, within some seconds on others. The list of those that were revoked is empty then. Where no token was ever made nothing changes.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn renew_playback_secret(&self, caller: &Caller) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let drawn = hexadecimal(&random::secret_bytes());
        let Some(ended) = db::playback::renew_secret(&mut tx, caller.organisation, &drawn, self.clock.now()).await? else {
            tx.roll_back();
            return Ok(());
        };
        let with = if ended == 0 { String::new() } else { format!("{ended} with a label") };
        tx.commit(Note::of(Act::PlaybackSecretRenewed, caller.organisation).saying(with)).await?;
        self.forget_policy(&self.organisation(caller).await?.hash);
        tracing::info!(organisation = %caller.organisation, by = %caller.identity, "renewed the secret of playback tokens");
        Ok(())
    }
}

/// As the refusal says it, and the document.
#[must_use]
pub fn too_many(most: u32) -> String {
    format!("{most} revoked tokens, which is the most: an administrator can end all tokens at once by a new secret")
}
