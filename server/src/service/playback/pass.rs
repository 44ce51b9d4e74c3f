//! A pass: what lets the dashboard's players, posters and storyboards load what is guarded, also from a region's own host name, to which the browser sends no
//! cookie of ours. For who was found to be allowed all of the organisation's recordings.

use afterlive_domain::{OrganisationHash, OrganisationId, StreamId, Streamname, TokenId, UnixMillis, UserId};
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::token::{Claims, LEEWAY_S, Scope};
use super::{Secret, signing_key};
use crate::db;
use crate::db::Tx;
use crate::db::organisations::Organisation;
use crate::service::{Caller, Identity, Result, Service};

/// A pass is good for one to two of these. Within one it stays the same, so that a page that reads its data anew does not start its players over.
const PERIOD_MS: i64 = 6 * 3_600 * 1_000;
/// The most passes that have ended before their time, beside the tokens that were revoked.
pub(super) const MAX_ENDED: u32 = 2_000;

/// Makes the tokens of one page.
pub struct Pass(Kind);

enum Kind {
    /// What a viewer from outside came with.
    Given(Secret),
    Made {
        key: Box<hmac::Key>,
        organisation: OrganisationHash,
        /// One for all of a viewer's, by which they end together.
        id: TokenId,
        expires_at: UnixMillis,
    },
}

impl Pass {
    #[must_use]
    pub fn given(token: Secret) -> Self {
        Self(Kind::Given(token))
    }

    /// A token for the files of that stream.
    #[must_use]
    pub fn token(&self, stream: StreamId, streamname: &Streamname) -> String {
        match &self.0 {
            Kind::Given(Secret(token)) => token.clone(),
            Kind::Made { key, organisation, id, expires_at } => {
                let claims = Claims {
                    id: *id,
                    organisation: organisation.clone(),
                    scope: Scope::Stream { id: stream, streamname: streamname.clone() },
                    not_before: None,
                    expires_at: *expires_at,
                    networks: Vec::new(),
                    sites: Vec::new(),
                };
                claims.sign(key)
            }
        }
    }
}

/// Always the same, so that what is made anew is the same token, and what is out is found.
fn id_of(viewer: Identity) -> TokenId {
    let digest = Sha256::digest(format!("pass of {viewer}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    TokenId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

impl Service {
    /// A pass for the caller; `None` where recordings are public, and none is needed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn pass(&self, caller: &Caller, organisation: &Organisation) -> Result<Option<Pass>> {
        if organisation.settings.vod_public || caller.organisation != organisation.id {
            return Ok(None);
        }
        let known = db::playback::secret(&mut self.db.read().await?, organisation.id).await?;
        let secret = match known {
            Some(secret) => secret,
            None => self.ensure_secret(organisation.id, &organisation.hash).await?,
        };
        let expires_at = UnixMillis((self.clock.now().0.div_euclid(PERIOD_MS) + 2) * PERIOD_MS);
        let (key, id) = (Box::new(signing_key(&secret)), id_of(caller.identity));
        Ok(Some(Pass(Kind::Made { key, organisation: organisation.hash.clone(), id, expires_at })))
    }

    /// Ends the passes of a user who is gone: whoever the addresses were handed to watches nothing any more.
    pub(in crate::service) async fn end_passes(&self, tx: &mut Tx, organisation: OrganisationId, user: UserId) -> Result<()> {
        let now = self.clock.now();
        let all_expired_at = now.plus_ms(2 * PERIOD_MS + 1_000 * LEEWAY_S);
        db::playback::revoke(tx, organisation, id_of(Identity::User(user)), all_expired_at, now).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_pass_makes_the_same_token_for_the_same_stream_and_others_for_others() {
        let [ada, bob] = [1, 2].map(|user| id_of(Identity::User(UserId(Uuid::from_u128(user)))));
        let pass = |id, expires_at| {
            let (key, organisation) = (Box::new(signing_key("secret")), "8sKpm".parse().unwrap());
            Pass(Kind::Made { key, organisation, id, expires_at: UnixMillis(expires_at) })
        };
        let (one, two) = (StreamId(Uuid::from_u128(1)), StreamId(Uuid::from_u128(2)));
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        let token = pass(ada, 7_000).token(one, &name);
        assert_eq!(pass(ada, 7_000).token(one, &name), token);
        assert_ne!(pass(ada, 7_000).token(two, &"8sKpm-x49nC".parse().unwrap()), token);
        let id = |token: &str| Claims::read(Some(&signing_key("secret")), token).unwrap().id;
        assert_ne!(id(&pass(bob, 7_000).token(one, &name)), id(&token));
        assert_eq!(id(&pass(ada, 8_000).token(two, &name)), id(&token));
        assert_eq!(Pass::given(Secret("given".to_owned())).token(one, &name), "given");
    }
}
