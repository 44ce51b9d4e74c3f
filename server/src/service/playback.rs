//! Who may watch: the one answer for every protocol, live and recorded. An organisation's own people always may, everybody may where the switch is on, and
//! where it is off who has a playback token. How a token is made is in `tokens`, how it looks in `token`; nothing here knows a protocol.

mod bells;
mod fresh;
mod lasting;
mod pass;
mod revoking;
pub mod token;
mod tokens;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{
    Error as Refusal, OrganisationHash, OrganisationId, StreamId, StreamState, Streamname, Tags, TokenId, UnixMillis,
};
use ring::hmac;
use url::Url;

use self::bells::Bells;
use self::fresh::Fresh;
use self::token::{Claims, Refused, Scope, Site};
use super::{Caller, Error, Result, Service};
use crate::db;
use crate::db::playback::Terms;

pub use lasting::{Right, Withdrawn, words};
pub use pass::Pass;
pub use revoking::{MAX_REVOKED, MAX_REVOKED_BY_USERS, RevokedToken, too_many};
pub use tokens::{Expiry, IssuedToken, MadeToken, TokenOf, TokenQuestion, TokenWish};

/// For so long an organisation's switches and revoked tokens, and a stream's tags, are believed. What is changed on this node holds at once.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// Organisations and streams that are remembered at a time.
const MAX_ORGANISATIONS: usize = 10_000;
const MAX_STREAMS: usize = 50_000;

/// Who wants to watch.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Whose key or sign-in was found to be good.
    pub caller: Option<Caller>,
    /// As it came: nothing of it is known to be true.
    pub token: Option<Secret>,
    pub address: IpAddr,
    /// Host of `Origin` or `Referer`. A browser's word; a program says what it likes.
    pub site: Option<String>,
}

/// A text that is shown in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Live,
    Recordings,
}

/// How it comes that a viewer may watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admitted {
    /// Everybody may.
    Public,
    /// This one may: what is sent is kept by no cache that others share. With a token, which is good until then.
    Guarded { until: Option<UnixMillis> },
}

/// What lets a viewer in.
enum By {
    /// Everybody may.
    Public,
    /// The organisation is the viewer's own.
    Own,
    /// A token that is good for this, and all that it says.
    Token(Box<Claims>),
}

impl By {
    fn until(&self) -> Option<UnixMillis> {
        match self {
            Self::Public | Self::Own => None,
            Self::Token(claims) => Some(claims.good_until()),
        }
    }
}

/// An organisation's terms, ready to be applied.
pub(super) struct Policy {
    organisation: OrganisationId,
    live_public: bool,
    vod_public: bool,
    /// Then nothing is public, and nothing opens anything.
    is_suspended: bool,
    key: Option<hmac::Key>,
    revoked: HashSet<TokenId>,
}

/// What a scope is compared with.
struct KnownStream {
    id: StreamId,
    tags: Tags,
}

/// What is remembered of who may watch.
pub(super) struct Doors {
    policies: Fresh<OrganisationHash, Arc<Policy>>,
    streams: Fresh<Streamname, Arc<KnownStream>>,
    bells: Bells,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            policies: Fresh::new(BELIEVED_FOR, MAX_ORGANISATIONS),
            streams: Fresh::new(BELIEVED_FOR, MAX_STREAMS),
            bells: Bells::default(),
        }
    }
}

impl Policy {
    fn is_public(&self, what: What) -> bool {
        match what {
            What::Live => self.live_public,
            What::Recordings => self.vod_public,
        }
    }

    /// Everything about a token but which streams it is for.
    fn read(&self, hash: &OrganisationHash, token: &str) -> Result<Claims, Refused> {
        let claims = Claims::read(self.key.as_ref(), token)?;
        // The key is the organisation's own, so that this always holds.
        if claims.organisation != *hash {
            return Err(Refused::BadSignature);
        }
        if self.revoked.contains(&claims.id) { Err(Refused::Revoked) } else { Ok(claims) }
    }
}

fn denied(refused: &Refused) -> Error {
    Refusal::PlaybackDenied { reason: refused.to_string() }.into()
}

fn no_such_stream(name: &Streamname) -> Error {
    Refusal::NoSuchStream { stream: name.to_string() }.into()
}

pub(super) fn signing_key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

impl Service {
    /// The right to watch the stream live, where this viewer has it. Whether it is live is for the hub to say.
    ///
    /// # Errors
    /// `NoSuchStream`; `PlaybackDenied` with the reason, where live is not public: then whether there is such a stream is told to nobody who may not watch it.
    pub async fn watch_live(&self, streamname: &str, viewer: &Viewer) -> Result<Right> {
        let no_such_name = || Refusal::NoSuchStream { stream: streamname.chars().take(100).collect() };
        let streamname: Streamname = streamname.parse().map_err(|_| no_such_name())?;
        let until = self.admit(What::Live, &streamname, viewer).await?.until();
        let stream = self.known_stream(&streamname).await?.ok_or_else(|| no_such_stream(&streamname))?.id;
        Ok(Right { stream, until })
    }

    /// Whether this viewer may have the files of a stream's recordings. Whether there are any is for the storage to say.
    ///
    /// # Errors
    /// As [`Service::watch_live`].
    pub async fn watch_recording(&self, streamname: &Streamname, viewer: &Viewer) -> Result<Admitted> {
        Ok(match self.admit(What::Recordings, streamname, viewer).await? {
            By::Public => Admitted::Public,
            by => Admitted::Guarded { until: by.until() },
        })
    }

    /// The sites that the viewer's token is bound to, where it is what lets them watch anything of the stream. None at all: any site.
    ///
    /// # Errors
    /// Where the database fails.
    pub(super) async fn sites_of_token(&self, streamname: &Streamname, viewer: &Viewer) -> Result<Vec<Site>> {
        for what in [What::Live, What::Recordings] {
            match self.admit(what, streamname, viewer).await {
                Ok(By::Token(claims)) => return Ok(claims.sites),
                Ok(By::Public | By::Own) | Err(Error::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Vec::new())
    }

    /// What is known without asking the database: whether everybody may watch the organisation's recordings.
    #[must_use]
    pub fn has_public_recordings(&self, organisation: &OrganisationHash) -> Option<bool> {
        self.doors.policies.peek(organisation).map(|policy| policy.vod_public)
    }

    /// Whether everybody may watch the stream live, so that who the viewer is need not be asked.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_live_public(&self, streamname: &Streamname) -> Result<bool> {
        Ok(self.policy(&streamname.organisation_hash()).await?.is_some_and(|policy| policy.live_public))
    }

    /// As [`Service::is_live_public`], of recordings.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn are_recordings_public(&self, streamname: &Streamname) -> Result<bool> {
        Ok(self.policy(&streamname.organisation_hash()).await?.is_some_and(|policy| policy.vod_public))
    }

    async fn admit(&self, what: What, streamname: &Streamname, viewer: &Viewer) -> Result<By> {
        let hash = streamname.organisation_hash();
        let policy = self.policy(&hash).await?.ok_or_else(|| no_such_stream(streamname))?;
        if policy.is_suspended {
            return Err(if viewer.caller.is_some() { no_such_stream(streamname) } else { denied(&Refused::Suspended) });
        }
        if policy.is_public(what) {
            return Ok(By::Public);
        }
        if viewer.caller.is_some_and(|caller| caller.organisation == policy.organisation) {
            return Ok(By::Own);
        }
        let Some(Secret(token)) = &viewer.token else {
            // What belongs to another organisation does not exist.
            return Err(if viewer.caller.is_some() { no_such_stream(streamname) } else { denied(&Refused::Missing) });
        };
        let claims = self.check_token(&policy, &hash, token, streamname, viewer).await?;
        Ok(By::Token(Box::new(claims)))
    }

    /// What the token says, where it is good for this.
    async fn check_token(
        &self,
        policy: &Policy,
        hash: &OrganisationHash,
        token: &str,
        streamname: &Streamname,
        viewer: &Viewer,
    ) -> Result<Claims> {
        let claims = policy.read(hash, token).map_err(|refused| denied(&refused))?;
        let bounds = claims
            .check_time(self.clock.now())
            .and_then(|()| claims.check_address(viewer.address))
            .and_then(|()| self.check_site(&claims, viewer.site.as_deref()));
        bounds.map_err(|refused| denied(&refused))?;
        match self.outside_scope(&claims.scope, streamname).await? {
            None => Ok(claims),
            Some(refused) => Err(denied(&refused)),
        }
    }

    /// Our own pages may be framed by the token's sites alone, so that what a player on them asks for is as good as asked from there.
    fn check_site(&self, claims: &Claims, site: Option<&str>) -> Result<(), Refused> {
        let is_ours = || {
            let public_url = Url::parse(&self.config.http.public_url).ok()?;
            Some(public_url.host_str()? == site?)
        };
        claims.check_site(site).or_else(|refused| if is_ours() == Some(true) { Ok(()) } else { Err(refused) })
    }

    /// Why the scope does not cover the stream; `None` where it does.
    async fn outside_scope(&self, scope: &Scope, streamname: &Streamname) -> Result<Option<Refused>> {
        Ok(match scope {
            Scope::Organisation => None,
            Scope::Stream { streamname: named, .. } => (named != streamname).then_some(Refused::OtherStream),
            Scope::Tags(tags) => {
                let stream = self.known_stream(streamname).await?;
                let has = |tag: &String| stream.as_ref().is_some_and(|stream| stream.tags.as_slice().contains(tag));
                (!tags.as_slice().iter().all(has)).then_some(Refused::OtherTags)
            }
        })
    }

    /// `None` where there is no such organisation.
    async fn policy(&self, hash: &OrganisationHash) -> Result<Option<Arc<Policy>>> {
        let now = self.clock.now();
        let find = || async {
            let mut connection = self.db.read().await?;
            // Before the secret: where that is renewed in between, who was revoked is so by the new one.
            let revoked = db::playback::revoked(&mut connection, hash, now, MAX_REVOKED + pass::MAX_ENDED).await?;
            let Some(terms) = db::playback::terms(&mut connection, hash).await? else { return Ok(None) };
            let Terms { organisation, live_public, vod_public, is_suspended, secret } = terms;
            let (live_public, vod_public) = (live_public && !is_suspended, vod_public && !is_suspended);
            let key = secret.as_deref().map(signing_key);
            let revoked = revoked.into_iter().collect();
            Ok(Some(Arc::new(Policy { organisation, live_public, vod_public, is_suspended, key, revoked })))
        };
        self.doors.policies.get::<Error, _>(hash, find).await
    }

    /// `None` where there is no such stream (any more).
    async fn known_stream(&self, name: &Streamname) -> Result<Option<Arc<KnownStream>>> {
        let find = || async {
            let stream = db::streams::by_streamname(&mut self.db.read().await?, name).await?;
            let stream = stream.filter(|stream| stream.state != StreamState::Deleted);
            Ok(stream.map(|stream| Arc::new(KnownStream { id: stream.id, tags: stream.tags })))
        };
        self.doors.streams.get::<Error, _>(name, find).await
    }

    /// The organisation's switches or tokens have changed.
    pub(super) fn forget_policy(&self, hash: &OrganisationHash) {
        self.doors.policies.forget(hash);
        self.doors.bells.ring(hash);
    }

    /// What let somebody in may be gone: who watches anything of the organisation is asked again.
    pub(super) fn ask_viewers_again(&self, hash: &OrganisationHash) {
        self.doors.bells.ring(hash);
    }

    /// The stream's tags have changed, or it is gone.
    pub(super) fn forget_stream(&self, name: &Streamname) {
        self.doors.streams.forget(name);
        self.doors.bells.ring(&name.organisation_hash());
    }
}
