//! A pass: what lets the dashboard's players, posters and storyboards load what is guarded, also from a region's own host name, to which the browser sends no
//! cookie of ours. For who was found to be allowed all of the organisation's recordings.

use afterlive_domain::{OrganisationHash, StreamId, Streamname, TokenId, UnixMillis};
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::token::{Claims, Scope};
use super::{Secret, signing_key};
use crate::db;
use crate::db::organisations::Organisation;
use crate::service::{Caller, Result, Service};

/// A pass is good for one to two of these. Within one it stays the same, so that a page that reads its data anew does not start its players over.
const PERIOD_MS: i64 = 6 * 3_600 * 1_000;

/// Makes the tokens of one page.
pub struct Pass(Kind);

enum Kind {
    /// What a viewer from outside came with.
    Given(Secret),
    Made {
        key: Box<hmac::Key>,
        organisation: OrganisationHash,
        viewer: String,
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
            Kind::Made { key, organisation, viewer, expires_at } => {
                let claims = Claims {
                    id: drawn_from(&format!("{viewer} {stream} {}", expires_at.0)),
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

/// The same id for the same text, so that what is made anew is the same token.
fn drawn_from(text: &str) -> TokenId {
    let digest = Sha256::digest(text.as_bytes());
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
        let (key, viewer) = (Box::new(signing_key(&secret)), caller.identity.to_string());
        Ok(Some(Pass(Kind::Made { key, organisation: organisation.hash.clone(), viewer, expires_at })))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_pass_makes_the_same_token_for_the_same_stream_and_others_for_others() {
        let pass = |viewer: &str, expires_at| {
            let (key, organisation) = (Box::new(signing_key("secret")), "8sKpm".parse().unwrap());
            Pass(Kind::Made { key, organisation, viewer: viewer.to_owned(), expires_at: UnixMillis(expires_at) })
        };
        let (one, two) = (StreamId(Uuid::from_u128(1)), StreamId(Uuid::from_u128(2)));
        let name: Streamname = "8sKpm-x49nB".parse().unwrap();
        let token = pass("ada", 7_000).token(one, &name);
        assert_eq!(pass("ada", 7_000).token(one, &name), token);
        assert_ne!(pass("ada", 7_000).token(two, &"8sKpm-x49nC".parse().unwrap()), token);
        let id = |token: &str| Claims::read(Some(&signing_key("secret")), token).unwrap().id;
        assert_ne!(id(&pass("bob", 7_000).token(one, &name)), id(&token));
        assert_ne!(id(&pass("ada", 8_000).token(one, &name)), id(&token));
        assert_eq!(Pass::given(Secret("given".to_owned())).token(one, &name), "given");
    }
}
