//! Playback tokens made, tried and listed by their organisation.

use std::net::IpAddr;

use afterlive_domain::{
    Act, Error as Refusal, OrganisationHash, OrganisationId, Permission, StreamId, StreamState, Tags, ThingKind, TokenId,
    UnixMillis,
};
use ipnet::IpNet;
use uuid::Uuid;

use super::token::{Claims, MAX_BOUNDS, MAX_LIFETIME_S, MAX_TOKEN_BYTES, Refused, Scope, Site, network};
use super::{Secret, signing_key};
use crate::db;
use crate::db::audit::Thing;
use crate::db::playback::Issued;
use crate::hexadecimal::hexadecimal;
use crate::random;
use crate::service::write::{Note, who};
use crate::service::{Caller, Result, Service, text};

/// The most tokens with a label that have not expired. Those without one are not counted: there is no row of them.
const MAX_LISTED: u32 = 1_000;

/// Of what a token is to be good for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenOf {
    Organisation,
    Stream(StreamId),
    /// Streams that have each of them.
    Tags(Tags),
}

/// Until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    At(UnixMillis),
    /// Seconds from now.
    In(u64),
}

impl Expiry {
    /// The instant, and by which parameter the API names it. What is beyond all reason is brought to a thousand years.
    pub(in crate::service) fn resolve(self, now: UnixMillis) -> (&'static str, UnixMillis) {
        match self {
            Self::At(at) => ("exp", at),
            Self::In(seconds) => ("expires_in_s", now.plus_ms(1_000 * seconds.min(1_000 * MAX_LIFETIME_S).cast_signed())),
        }
    }
}

/// A token to be made. Addresses, networks and sites are as people type them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenWish {
    pub of: TokenOf,
    pub expiry: Expiry,
    pub not_before: Option<UnixMillis>,
    pub ips: Vec<String>,
    pub domains: Vec<String>,
    /// Puts it on the list.
    pub label: Option<String>,
}

/// A token that was just made: the only time that the server has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MadeToken {
    pub claims: Claims,
    pub token: Secret,
}

/// A token that was given a label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedToken {
    pub label: String,
    pub claims: Claims,
    pub made_by: String,
    pub created_at: UnixMillis,
}

/// Would this token be taken? What is left out is not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenQuestion<'a> {
    pub token: &'a str,
    pub stream: Option<StreamId>,
    pub address: Option<IpAddr>,
    pub site: Option<&'a str>,
}

pub(super) fn wrong(parameter: &str, expected: impl Into<String>) -> Refusal {
    Refusal::WrongType { parameter: parameter.to_owned(), expected: expected.into() }
}

/// Each text that is not empty, read.
fn bounds<T>(parameter: &str, texts: &[String], expected: &str, read: fn(&str) -> Option<T>) -> Result<Vec<T>, Refusal> {
    let texts: Vec<&str> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    if texts.len() > MAX_BOUNDS {
        return Err(wrong(parameter, format!("at most {MAX_BOUNDS} {parameter}")));
    }
    texts.into_iter().map(read).collect::<Option<_>>().ok_or_else(|| wrong(parameter, expected))
}

/// Whole seconds, as tokens have them.
fn whole_seconds(at: UnixMillis) -> UnixMillis {
    UnixMillis(at.0.div_euclid(1_000) * 1_000)
}

fn times(wish: &TokenWish, now: UnixMillis) -> Result<(Option<UnixMillis>, UnixMillis), Refusal> {
    let (parameter, expires_at) = wish.expiry.resolve(now);
    let lifetime_ms = expires_at.ms_since(now);
    if lifetime_ms <= 0 || lifetime_ms > 1_000 * MAX_LIFETIME_S.cast_signed() {
        let days = MAX_LIFETIME_S / 86_400;
        return Err(wrong(parameter, format!("an end in the future, at most {days} days ahead")));
    }
    if wish.not_before.is_some_and(|from| from >= expires_at) {
        return Err(wrong("nbf", "a beginning before the end"));
    }
    Ok((wish.not_before.map(whole_seconds), whole_seconds(expires_at)))
}

impl Service {
    /// Makes a token. With a label it is on the list of [`Service::playback_tokens`]; without one it leaves no trace, and can be made by the thousand.
    ///
    /// # Errors
    /// `Denied` for readers; `NoSuchStream`; for the field that cannot be.
    pub async fn make_playback_token(&self, caller: &Caller, wish: &TokenWish) -> Result<MadeToken> {
        caller.require(Permission::EditStreams)?;
        let now = self.clock.now();
        let label = wish.label.as_deref().map(|label| text::name("label", label)).transpose()?;
        let (not_before, expires_at) = times(wish, now)?;
        let networks = bounds::<IpNet>("ips", &wish.ips, "IP addresses, or networks such as 203.0.113.0/24", network)?;
        let sites = bounds("domains", &wish.domains, "host names such as example.com or *.example.com", Site::parse)?;
        let scope = self.scope(caller, &wish.of).await?;
        let organisation = self.organisation(caller).await?;
        let id = TokenId(Uuid::new_v4());
        let claims = Claims { id, organisation: organisation.hash.clone(), scope, not_before, expires_at, networks, sites };
        let token = loop {
            let secret = self.ensure_secret(organisation.id, &organisation.hash).await?;
            let token = claims.sign(&signing_key(&secret));
            if token.len() > MAX_TOKEN_BYTES {
                return Err(wrong("domains", "fewer or shorter tags, addresses and domains").into());
            }
            match &label {
                Some(label) if self.list_token(caller, label, &claims, &secret).await? => break token,
                // All tokens have just been ended, and this one with them.
                Some(_) => {}
                None => {
                    // They may be made by the thousand, and none is waited for: many are one row, which says how many.
                    let note = Note::of(Act::PlaybackTokenMade, Thing::called(ThingKind::PlaybackToken, "without a label"));
                    self.note(caller.organisation, (who(caller.identity), caller.from), note);
                    break token;
                }
            }
        };
        tracing::info!(token = %claims.id, by = %caller.identity, "made a playback token");
        Ok(MadeToken { claims, token: Secret(token) })
    }

    async fn scope(&self, caller: &Caller, of: &TokenOf) -> Result<Scope> {
        Ok(match of {
            TokenOf::Organisation => Scope::Organisation,
            TokenOf::Stream(id) => {
                let stream = self.stream(caller, *id).await?;
                if stream.state == StreamState::Deleted {
                    return Err(Refusal::WrongState { state: stream.state.to_string() }.into());
                }
                Scope::Stream { id: *id, streamname: stream.streamname }
            }
            TokenOf::Tags(tags) if tags.as_slice().is_empty() => return Err(wrong("tags", "at least one tag").into()),
            TokenOf::Tags(tags) => Scope::Tags(tags.clone()),
        })
    }

    /// False, and nothing done, where the organisation has another secret by now than the one the token is signed with.
    async fn list_token(&self, caller: &Caller, label: &str, claims: &Claims, secret: &str) -> Result<bool> {
        let now = self.clock.now();
        let stream = match claims.scope {
            Scope::Stream { id, .. } => Some(id),
            Scope::Organisation | Scope::Tags(_) => None,
        };
        let issued = Issued {
            id: claims.id,
            organisation: caller.organisation,
            stream,
            label: label.to_owned(),
            claims: claims.to_json(),
            made_by: self.name_of(caller).await?,
            created_at: now,
            expires_at: claims.expires_at,
        };
        let mut tx = self.write_as(caller, Permission::EditStreams).await?;
        if !db::playback::hold_secret(&mut tx, caller.organisation, secret).await? {
            return Ok(false);
        }
        if db::playback::count_listed(&mut tx, caller.organisation, now, MAX_LISTED).await? >= u64::from(MAX_LISTED) {
            return Err(Refusal::WrongState { state: format!("{MAX_LISTED} tokens with a label, which is the most") }.into());
        }
        db::playback::insert(&mut tx, &issued).await?;
        let on = Thing::new(ThingKind::PlaybackToken, issued.id, issued.label);
        tx.commit(Note::of(Act::PlaybackTokenMade, on)).await.map(|()| true)
    }

    /// The organisation's secret, made where there is none yet.
    pub(super) async fn ensure_secret(&self, organisation: OrganisationId, hash: &OrganisationHash) -> Result<String> {
        if let Some(secret) = db::playback::secret(&mut self.db.read().await?, organisation).await? {
            return Ok(secret);
        }
        let mut tx = self.write_unnoted().await?;
        let secret = db::playback::ensure_secret(&mut tx, organisation, &hexadecimal(&random::secret_bytes())).await?;
        tx.commit().await?;
        self.forget_policy(hash);
        // A caller's organisation is never deleted; were it, the credential would be worth nothing.
        Ok(secret.ok_or(Refusal::BadCredentials)?)
    }

    /// Whether a token would be taken, and why not.
    ///
    /// # Errors
    /// `Denied` where the caller may not read; `NoSuchStream`. A token that would not be taken is no error.
    pub async fn verify_playback_token(&self, caller: &Caller, asked: TokenQuestion<'_>) -> Result<Result<Claims, Refused>> {
        caller.require(Permission::Read)?;
        let hash = self.organisation(caller).await?.hash;
        let streamname = match asked.stream {
            Some(id) => Some(self.stream(caller, id).await?.streamname),
            None => None,
        };
        let policy = self.policy(&hash).await?.ok_or(Refusal::BadCredentials)?;
        let claims = match policy.read(&hash, asked.token) {
            Ok(claims) => claims,
            Err(refused) => return Ok(Err(refused)),
        };
        let bounds = claims
            .check_time(self.clock.now())
            .and_then(|()| asked.address.map_or(Ok(()), |address| claims.check_address(address)))
            .and_then(|()| asked.site.map_or(Ok(()), |site| claims.check_site(Some(site))));
        if let Err(refused) = bounds {
            return Ok(Err(refused));
        }
        if let Some(streamname) = streamname
            && let Some(refused) = self.outside_scope(&claims.scope, &streamname).await?
        {
            return Ok(Err(refused));
        }
        Ok(Ok(claims))
    }

    /// Tokens with a label that are good for something yet, newest first; where a stream is named those for it, for tags, and for all of the organisation.
    ///
    /// # Errors
    /// `Denied` for readers; `NoSuchStream`.
    pub async fn playback_tokens(&self, caller: &Caller, stream: Option<StreamId>) -> Result<Vec<IssuedToken>> {
        caller.require(Permission::EditStreams)?;
        if let Some(stream) = stream {
            self.stream(caller, stream).await?;
        }
        let mut connection = self.db.read().await?;
        let issued = db::playback::list(&mut connection, caller.organisation, stream, self.clock.now(), MAX_LISTED).await?;
        let read = |issued: Issued| {
            let claims = Claims::from_json(&issued.claims)?;
            Some(IssuedToken { label: issued.label, claims, made_by: issued.made_by, created_at: issued.created_at })
        };
        Ok(issued.into_iter().filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn wish(expiry: Expiry, not_before: Option<i64>) -> TokenWish {
        let not_before = not_before.map(|ms| NOW.plus_ms(ms));
        TokenWish { of: TokenOf::Organisation, expiry, not_before, ips: Vec::new(), domains: Vec::new(), label: None }
    }

    #[test]
    fn an_end_is_in_the_future_and_not_too_far() {
        let end = |expiry| times(&wish(expiry, None), NOW).map(|(_, end)| end.0 - NOW.0).ok();
        assert_eq!(end(Expiry::In(60)), Some(59_101));
        assert_eq!(end(Expiry::At(NOW.plus_ms(60_000))), Some(59_101));
        assert!(end(Expiry::In(MAX_LIFETIME_S)).is_some());
        let too_late = NOW.plus_ms(1_000 * MAX_LIFETIME_S.cast_signed() + 1);
        let bad = [Expiry::In(0), Expiry::In(MAX_LIFETIME_S + 1), Expiry::In(u64::MAX), Expiry::At(NOW), Expiry::At(too_late)];
        for bad in bad {
            assert_eq!(end(bad), None, "{bad:?}");
        }
        assert!(times(&wish(Expiry::In(60), Some(59_000)), NOW).is_ok());
        assert!(times(&wish(Expiry::In(60), Some(60_000)), NOW).is_err());
    }

    #[test]
    fn bounds_are_read_one_by_one_and_there_are_not_too_many() {
        let read = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            bounds("domains", &texts, "host names", Site::parse).map(|sites| sites.len()).ok()
        };
        assert_eq!(read(&["", " example.com ", "*.example.org"]), Some(2));
        assert_eq!(read(&["example.com", "exa mple"]), None);
        assert_eq!(read(&vec!["example.com"; MAX_BOUNDS]), Some(MAX_BOUNDS));
        assert_eq!(read(&vec!["example.com"; MAX_BOUNDS + 1]), None);
    }
}
