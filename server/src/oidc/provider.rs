//! The provider as the rest of the server knows it: where to send a browser, and who came back. Keeps what the provider says of itself for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};

use afterlive_domain::UnixMillis;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;
use url::form_urlencoded::{self, byte_serialize};

use super::discovery::{self, ClientSays, Metadata};
use super::flow::{Flow, MAX_FLOW_MS};
use super::id_token::{self, Claims, Expected, Mailbox, Unfit};
use super::keys::Keys;
use super::wire::{Asked, Failed, Wire};
use crate::clock::Clock;
use crate::config::{Oidc, Password};
use crate::rate_limit::RateLimit;

/// What the provider says of itself is asked for anew after so long, and so are its keys.
const FRESH_MS: i64 = 60 * 60_000;
/// Where it cannot be asked, what it said before is good for so long.
const OLD_MS: i64 = 24 * 60 * 60_000;
/// It is not asked for what it says of itself more often than so where that fails: who clicks again and again asks us, not it.
const AGAIN_AFTER_MS: i64 = 5_000;
/// It is not asked for keys more often than so: who sends tokens with keys of their own invention asks us, not it.
const KEYS_AGAIN_AFTER_MS: i64 = 30_000;
/// The longest word of its own that the log has for a refusal.
const MAX_WORD_CHARS: usize = 40;

/// Why somebody is not known to be anybody. For the log and for who runs the server; none has a code, a token or a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the provider cannot be asked: {0}")]
    Away(#[from] Failed),
    #[error("the provider could not be asked a moment ago")]
    AwayLately,
    #[error("what the provider says of itself is of no use: {0}")]
    Metadata(String),
    /// What the provider calls it, and nothing else of what it said.
    #[error("the provider takes no such code: {0}")]
    Code(String),
    #[error("who sent the browser back is not the provider")]
    Sender,
    #[error("the ID token says nothing: {0}")]
    Token(#[from] Unfit),
}

impl Error {
    /// Whether it is for the provider to come back, and nobody's doing.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::AwayLately | Self::Metadata(_))
    }
}

/// Who the provider says somebody is.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    /// By which the provider knows them, and nobody else at any time.
    pub subject: String,
    /// An address of theirs, which is worth nothing but for who trusts the provider with it.
    pub email: Option<String>,
    /// Whether the provider says that they read what is sent there.
    pub is_verified: bool,
    /// What else the provider calls them.
    pub name: Option<String>,
}

impl std::fmt::Debug for Person {
    /// Neither an address nor what stands for somebody elsewhere belongs in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("is_verified", &self.is_verified).finish_non_exhaustive()
    }
}

/// One for the whole process.
pub struct Provider {
    settings: Oidc,
    redirect_uri: String,
    clock: Clock,
    wire: Wire,
    known: Mutex<Known>,
    /// Which ways have come back already: each does once. On other nodes the provider sees to that, which takes no code twice.
    came_back: RateLimit<String>,
    /// It is asked one thing at a time: of many who come at once the first asks for all.
    turn: Semaphore,
}

/// What is known of it, and when it was asked.
#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, UnixMillis)>,
    /// When that failed last: who waited meanwhile is not to wait for another try.
    metadata_failed_at: Option<UnixMillis>,
    keys: Option<(Keys, UnixMillis)>,
    keys_asked_at: Option<UnixMillis>,
    /// As of the metadata.
    keys_failed_at: Option<UnixMillis>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    mailbox: Mailbox,
}

fn is_younger(at: Option<UnixMillis>, now: UnixMillis, ms: i64) -> bool {
    at.is_some_and(|at| (0..ms).contains(&now.ms_since(at)))
}

impl Provider {
    /// Asks nobody yet.
    #[must_use]
    pub fn new(settings: &Oidc, public_url: &str, clock: Clock) -> Self {
        Self {
            settings: settings.clone(),
            redirect_uri: format!("{public_url}/oidc/callback"),
            clock,
            wire: Wire::new(settings.issuer.clone()),
            known: Mutex::default(),
            came_back: RateLimit::new(1, u32::try_from(MAX_FLOW_MS).unwrap_or(u32::MAX)),
            turn: Semaphore::new(1),
        }
    }

    /// As people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer.text
    }

    /// Whether it asks people for a second factor, as the operator says.
    #[must_use]
    pub fn asks_second_factor(&self) -> bool {
        self.settings.asks_second_factor
    }

    /// Whether a user is who it says has the user's address.
    #[must_use]
    pub fn matches_verified_email(&self) -> bool {
        self.settings.match_verified_email
    }

    /// Where it is to be registered that people come back to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Asks what it says of itself and for its keys.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn check(&self) -> Result<(), Error> {
        let metadata = self.metadata().await?;
        self.keys_for(&metadata, |_| Some(())).await.map(drop)
    }

    /// Where a browser goes to sign in.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn sign_in_url(&self, flow: &Flow) -> Result<String, Error> {
        let mut url = self.metadata().await?.authorization_endpoint;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &flow.state())
            .append_pair("nonce", &flow.nonce())
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Whether a state comes back for the first time.
    #[must_use]
    pub fn is_first(&self, state: &str) -> bool {
        self.came_back.attempt(&state.to_owned(), self.clock.now()).is_ok()
    }

    /// That who sent the browser back is this provider, as far as it says so (RFC 9207): else another one that is registered with the same address could pass
    /// its own code off as this one's.
    ///
    /// # Errors
    /// [`Error::Sender`], and as for all that needs what the provider says of itself.
    pub async fn check_sender(&self, sender: Option<&str>) -> Result<(), Error> {
        let is_named = self.metadata().await?.names_itself;
        let is_fine = sender.map_or(!is_named, |sender| sender == self.issuer());
        if is_fine { Ok(()) } else { Err(Error::Sender) }
    }

    /// Who came back with the code.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn redeem(&self, flow: &Flow, code: &str) -> Result<Person, Error> {
        let metadata = self.metadata().await?;
        let tokens = self.tokens(&metadata, flow, code).await?;
        let claims = self.read(&metadata, &tokens.id_token, &flow.nonce()).await?;
        let name = claims.name();
        let Claims { sub, mut mailbox, .. } = claims;
        // Where an access token is given, the address may be told for that alone (Core §5.4).
        if mailbox.email.is_none()
            && let Some(found) = self.mailbox(&metadata, tokens.access_token, &sub).await
        {
            mailbox = found;
        }
        let is_verified = mailbox.is_verified();
        Ok(Person { issuer: self.issuer().to_owned(), subject: sub, email: mailbox.email, is_verified, name })
    }

    /// What redeems a code, and how we say who we are where that is not in it.
    fn redeeming(&self, metadata: &Metadata, flow: &Flow, code: &str) -> Asked {
        let Oidc { client_id, client_secret: Password(client_secret), .. } = &self.settings;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", &flow.verifier());
        let authorization = match metadata.client_says() {
            ClientSays::Basic => {
                // RFC 6749 §2.3.1: as a form has them, each.
                let [id, secret] = [client_id, client_secret].map(|text| byte_serialize(text.as_bytes()).collect::<String>());
                sensitive(&format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}"))))
            }
            ClientSays::InForm => {
                form.append_pair("client_id", client_id).append_pair("client_secret", client_secret);
                None
            }
        };
        Asked::Form(form.finish(), authorization)
    }

    async fn tokens(&self, metadata: &Metadata, flow: &Flow, code: &str) -> Result<Tokens, Error> {
        let (status, body) = self.wire.answer(&metadata.token_endpoint, self.redeeming(metadata, flow, code)).await?;
        if status.is_client_error() {
            let refusal = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error).unwrap_or_default();
            return Err(Error::Code(word(&refusal)));
        }
        if status.is_redirection() {
            return Err(Failed::Redirect(status).into());
        }
        if !status.is_success() {
            return Err(Failed::Status(status).into());
        }
        Ok(serde_json::from_slice(&body).map_err(|_| Failed::NoJson)?)
    }

    async fn read(&self, metadata: &Metadata, token: &str, nonce: &str) -> Result<Claims, Error> {
        let (header, algorithm) = id_token::header(token)?;
        let key = self.key(metadata, header.kid.as_deref(), algorithm).await?;
        let expected = Expected { issuer: self.issuer(), client_id: &self.settings.client_id, nonce, now: self.clock.now() };
        Ok(id_token::read(token, algorithm, &key, &expected)?)
    }

    async fn key(&self, metadata: &Metadata, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Error> {
        self.keys_for(metadata, |keys| keys.find(kid, algorithm)).await?.ok_or(Error::Token(Unfit::UnknownKey))
    }

    /// What `find` finds among the keys: those that are known, or where it is not among them those that are asked for now.
    async fn keys_for<T>(&self, metadata: &Metadata, find: impl Fn(&Keys) -> Option<T>) -> Result<Option<T>, Error> {
        let among_known = |ms| {
            let now = self.clock.now();
            let known = self.known();
            known.keys.as_ref().filter(|(_, at)| is_younger(Some(*at), now, ms)).and_then(|(keys, _)| find(keys))
        };
        if let Some(found) = among_known(FRESH_MS) {
            return Ok(Some(found));
        }
        // Never closed.
        let _turn = self.turn.acquire().await;
        if let Some(found) = among_known(FRESH_MS) {
            return Ok(Some(found));
        }
        let now = self.clock.now();
        // Where it cannot be asked those of before are good still; whose key is none of them has to come later.
        let by_old = |away: Error| among_known(OLD_MS).map(Some).ok_or(away);
        if is_younger(self.known().keys_failed_at, now, AGAIN_AFTER_MS) {
            return by_old(Error::AwayLately);
        }
        if is_younger(self.known().keys_asked_at, now, KEYS_AGAIN_AFTER_MS) {
            return Ok(None);
        }
        let asked = self.wire.ask(&metadata.jwks_uri, Asked::Get).await;
        match asked.and_then(|document| Keys::read(&document).ok_or(Failed::NoJson)) {
            Ok(keys) => {
                let found = find(&keys);
                let mut known = self.known();
                (known.keys, known.keys_asked_at) = (Some((keys, now)), Some(now));
                Ok(found)
            }
            Err(cause) => {
                self.known().keys_failed_at = Some(self.clock.now());
                by_old(cause.into())
            }
        }
    }

    /// The address of somebody, where the provider tells it to who has their access token. One that cannot be had is none.
    async fn mailbox(&self, metadata: &Metadata, access_token: Option<String>, subject: &str) -> Option<Mailbox> {
        let (url, token) = (metadata.userinfo_endpoint.as_ref()?, access_token?);
        let answer = self.wire.ask(url, Asked::GetAs(sensitive(&format!("Bearer {token}"))?)).await;
        let answer = answer.inspect_err(|cause| tracing::info!(%cause, "the provider does not tell somebody's address")).ok()?;
        let info: UserInfo = serde_json::from_slice(&answer).ok()?;
        // Core §5.3.2: else it is somebody else's.
        (info.sub == subject).then_some(info.mailbox)
    }

    async fn metadata(&self) -> Result<Metadata, Error> {
        if let Some(known) = self.metadata_younger_than(FRESH_MS) {
            return Ok(known);
        }
        // Never closed.
        let _turn = self.turn.acquire().await;
        if let Some(known) = self.metadata_younger_than(FRESH_MS) {
            return Ok(known);
        }
        let (now, old) = (self.clock.now(), self.metadata_younger_than(OLD_MS));
        if is_younger(self.known().metadata_failed_at, now, AGAIN_AFTER_MS) {
            return old.ok_or(Error::AwayLately);
        }
        match self.ask_metadata().await {
            Ok(metadata) => {
                self.known().metadata = Some((metadata.clone(), now));
                Ok(metadata)
            }
            Err(cause) => {
                self.known().metadata_failed_at = Some(self.clock.now());
                tracing::warn!(%cause, has_old = old.is_some(), "the OIDC provider could not be asked what it says of itself");
                old.ok_or(cause)
            }
        }
    }

    async fn ask_metadata(&self) -> Result<Metadata, Error> {
        let unwritable = || Error::Metadata("nothing can be asked below oidc.issuer".to_owned());
        let url: Url = discovery::url(&self.settings.issuer).ok_or_else(unwritable)?;
        let document = self.wire.ask(&url, Asked::Get).await?;
        Metadata::read(&document, &self.settings.issuer, &self.wire).map_err(Error::Metadata)
    }

    fn metadata_younger_than(&self, ms: i64) -> Option<Metadata> {
        let now = self.clock.now();
        let known = self.known();
        known.metadata.as_ref().filter(|(_, at)| is_younger(Some(*at), now, ms)).map(|(metadata, _)| metadata.clone())
    }

    /// Held for some instructions.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A word of the provider's as the log may have it.
#[must_use]
pub fn word(text: &str) -> String {
    let fine = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.chars().filter(fine).take(MAX_WORD_CHARS).collect()
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
