//! A backend in memory with some streams and recordings, for tests of the pages and for looking at them. It keeps what forms change, and
//! checks nothing that is the server's to check.

mod accounts;
mod audit;
mod events;
mod library;
mod organisation;
mod overview;
mod second_factor;
mod state;
mod streams;
mod system;

use std::sync::{Mutex, MutexGuard, PoisonError};

use afterlive_domain::asset::Hold;
use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::password::check_length;
use afterlive_domain::{
    AssetId, EmbedDomains, EndpointId, InvitationId, KeyId, MessageId, Mode, Role, StreamId, StreamState, Tags, TokenId,
    UnixMillis, UserId, WebhookUrl,
};
use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::accounts::{ADA, BOB};
pub use self::events::{ENDPOINT, WHSEC};
pub use self::library::asset_id;
pub use self::second_factor::{APP_CODE, RECOVERY_CODE};
use self::state::{State, stream, viewer};
pub use self::system::{OWN, TENANT};
use crate::backend::{
    Access, Account, Answer, ApiKeyRow, Asked, AuditFilter, AuditPage, Backend, BackendError, Chosen, Connection, Disconnected,
    EndpointForm, EndpointPage, EndpointRow, Home, InvitationRow, Invited, Keeping, KeyForm, LibraryFilter, LibraryPage,
    MailFate, OrganisationPage, Overview, PasswordChange, People, PlaybackTokenRow, RecordingPage, RecordingRange, SetUp,
    SetUpForm, SignIn, StreamFilter, StreamPage, StreamRow, TokenForm, TokenScope, Viewer,
};

/// 2026-11-04T17:09:19Z
pub const NOW: UnixMillis = UnixMillis(1_793_812_159_000);
const ORIGIN: &str = "http://localhost:3000";
const DAY_MS: i64 = 86_400_000;
pub const PASSWORD: &str = "correct horse battery";
/// What every link has in it.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The playback token that opens everything.
pub const TOKEN: &str = "a.playback.token";

/// Is live, and has 23 finished recordings and one in progress.
pub const LIVE: StreamId = StreamId(Uuid::from_u128(0x5f86_a12f_3801_415a_b450_6b6a_4684_2349));
/// Was live; has three recordings, one of each other state.
pub const ENDED: StreamId = StreamId(Uuid::from_u128(0x0d1b_77aa_9c11_4d02_8a44_0000_0000_0002));
/// Was never live.
pub const CREATED: StreamId = StreamId(Uuid::from_u128(0x3c9e_0bb2_61f4_4e7b_9f00_0000_0000_0003));

pub struct Fake {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Fake {
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self { state: Mutex::new(State::new(access)), changed: watch::Sender::new(0) }
    }

    #[must_use]
    pub fn signed_in() -> Self {
        Self::new(Access::SignedIn(viewer(Role::Admin)))
    }

    #[must_use]
    pub fn signed_in_as(role: Role) -> Self {
        Self::new(Access::SignedIn(viewer(role)))
    }

    /// Who administers the installation too.
    #[must_use]
    pub fn signed_in_above() -> Self {
        Self::new(Access::SignedIn(Viewer { system_administrator: true, ..viewer(Role::Admin) }))
    }

    #[must_use]
    pub fn signed_out() -> Self {
        Self::new(Access::SignedOut)
    }

    /// Who comes with a session that was ended elsewhere.
    #[must_use]
    pub fn signed_out_elsewhere() -> Self {
        let fake = Self::signed_out();
        fake.state().has_lost_session = true;
        fake
    }

    /// There is no room for changes.
    #[must_use]
    pub fn busy(self) -> Self {
        self.state().is_busy = true;
        self
    }

    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        self.state().settings = settings;
        self
    }

    /// There is a provider, and that is how the caller stands to it.
    #[must_use]
    pub fn with_connection(self, connection: Connection) -> Self {
        self.state().connection = Some(connection);
        self
    }

    /// Who came in by the provider, and by nothing else.
    #[must_use]
    pub fn without_password(self) -> Self {
        self.state().has_password = false;
        self
    }

    /// The endpoints that were made are unreadable to this version.
    #[must_use]
    pub fn with_unreadable_endpoints(self) -> Self {
        self.state().endpoints_are_readable = false;
        self
    }

    /// Links are mailed, and that is what becomes of it.
    #[must_use]
    pub fn with_mail(self, fate: MailFate) -> Self {
        self.state().mail = Some(fate);
        self
    }

    /// The encoder of that stream, which is not live, was cut off, and is waited for so many seconds more.
    #[must_use]
    pub fn awaiting(self, stream: StreamId, seconds: u64) -> Self {
        self.state().awaited_s.insert(stream, seconds);
        self
    }

    #[must_use]
    pub fn tokens(&self) -> Vec<PlaybackTokenRow> {
        self.state().tokens.clone()
    }

    /// Counts up with every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signed_in_state(&self) -> Answer<MutexGuard<'_, State>> {
        let state = self.state();
        if matches!(state.access, Access::SignedIn(_)) { Ok(state) } else { Err(BackendError::SignedOut) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Answer<()> {
        let mut state = self.signed_in_state()?;
        if state.is_busy {
            return Err(BackendError::NotNow { retry_after_s: 2 });
        }
        change(&mut state);
        drop(state);
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn keep(&self, asset: AssetId, change: impl FnOnce(&mut Keeping)) -> Answer<()> {
        self.change(|state| change(state.keeping.entry(asset).or_default()))
    }

    fn change_stream(&self, id: StreamId, change: impl FnOnce(&mut StreamRow)) -> Answer<()> {
        let mut known = false;
        self.change(|state| {
            if let Some(stream) = state.streams.iter_mut().find(|stream| stream.id == id) {
                known = true;
                change(stream);
            }
        })?;
        if known { Ok(()) } else { Err(BackendError::NotFound) }
    }
}

#[async_trait]
impl Backend for Fake {
    async fn access(&self) -> Answer<Access> {
        Ok(self.state().access.clone())
    }

    fn is_secure(&self) -> bool {
        true
    }

    fn has_lost_session(&self) -> bool {
        self.state().has_lost_session
    }

    async fn sign_in(&self, email: &str, password: &str) -> Answer<SignIn> {
        Ok(match password {
            PASSWORD if self.state().second_factor.is_some() => {
                self.state().is_code_asked = true;
                SignIn::NeedsCode
            }
            PASSWORD => {
                self.state().access = Access::SignedIn(Viewer { email: email.into(), ..viewer(Role::Admin) });
                SignIn::Done
            }
            "suspended" => SignIn::Suspended,
            "too often" => SignIn::TooManyAttempts { retry_after_s: 30 },
            _ => SignIn::WrongCredentials,
        })
    }

    async fn sign_out(&self) -> Answer<()> {
        self.state().access = Access::SignedOut;
        Ok(())
    }

    async fn set_up(&self, form: SetUpForm) -> Answer<SetUp> {
        if form.token != "token" {
            return Ok(SetUp::WrongLink);
        }
        if form.password.len() < 10 {
            return Ok(SetUp::BadField { field: "password".into(), problem: "Please give at least 10 characters.".into() });
        }
        self.state().access = Access::SignedIn(viewer(Role::Admin));
        Ok(SetUp::Done)
    }

    async fn home(&self) -> Answer<Home> {
        Ok(self.signed_in_state()?.home())
    }

    async fn streams(&self, filter: StreamFilter) -> Answer<StreamPage> {
        Ok(self.signed_in_state()?.page_of_streams(&filter))
    }

    async fn create_stream(&self, tags: Tags, _default_mode: Mode) -> Answer<StreamId> {
        let mut id = CREATED;
        self.change(|state| {
            id = StreamId(Uuid::from_u128(0x1000 + state.streams.len() as u128));
            let mut row = stream(id, &format!("n{:04}", state.streams.len()), StreamState::Created, 0, &[], 0);
            row.tags = tags;
            state.streams.insert(0, row);
        })?;
        Ok(id)
    }

    async fn overview(&self, id: StreamId, range: RecordingRange, token: Option<String>) -> Answer<Overview> {
        self.state().overview(id, range, token.as_deref())
    }

    async fn playback_tokens(&self, _stream: StreamId) -> Answer<Vec<PlaybackTokenRow>> {
        Ok(self.signed_in_state()?.tokens.clone())
    }

    async fn make_playback_token(&self, _stream: StreamId, form: TokenForm) -> Answer<String> {
        self.change(|state| {
            let row = PlaybackTokenRow {
                id: TokenId(Uuid::from_u128(300 + state.tokens.len() as u128)),
                label: form.label,
                scope: TokenScope::Stream,
                not_before: None,
                expires_at: NOW.plus_ms(1_000 * i64::try_from(form.expires_in_s).unwrap_or(i64::MAX / 1_000)),
                ips: form.ips,
                domains: form.domains,
                made_by: "ada@northlight.example".into(),
                created_at: NOW,
            };
            state.tokens.insert(0, row);
        })?;
        Ok(TOKEN.into())
    }

    async fn revoke_playback_token(&self, token: TokenId) -> Answer<()> {
        self.change(|state| state.tokens.retain(|row| row.id != token))
    }

    async fn renew_playback_secret(&self) -> Answer<()> {
        self.change(|state| state.tokens.clear())
    }

    async fn set_tags(&self, stream: StreamId, tags: Tags) -> Answer<()> {
        self.change_stream(stream, |row| row.tags = tags)
    }

    async fn set_push_url(&self, stream: StreamId, url: &str) -> Answer<()> {
        if !url.is_empty() && !url.starts_with("rtmp://") {
            return Err(BackendError::Refused("Please give an rtmp:// URL: no other protocol is spoken.".into()));
        }
        self.change(|state| {
            state.push_urls.insert(stream, url.to_owned());
        })
    }

    async fn stop_and_lock(&self, stream: StreamId) -> Answer<()> {
        self.change_stream(stream, |row| row.state = StreamState::Locked)
    }

    async fn unlock(&self, stream: StreamId) -> Answer<()> {
        self.change_stream(stream, |row| row.state = StreamState::Live)
    }

    async fn renew_publish_key(&self, stream: StreamId) -> Answer<()> {
        self.change(|state| *state.key_renewals.entry(stream).or_default() += 1)
    }

    async fn delete_stream(&self, stream: StreamId) -> Answer<()> {
        self.change_stream(stream, |row| row.state = StreamState::Deleted)
    }

    async fn library(&self, filter: LibraryFilter) -> Answer<LibraryPage> {
        self.signed_in_state()?.library(&filter)
    }

    async fn recording(&self, asset: AssetId) -> Answer<RecordingPage> {
        let mut state = self.signed_in_state()?;
        state.asked += 1;
        state.recording_page(asset)
    }

    async fn bin_recording(&self, asset: AssetId) -> Answer<String> {
        let row = self.recording(asset).await?.row;
        if row.keeping.hold.is_some() {
            return Err(BackendError::Refused("It is on legal hold.".into()));
        }
        self.keep(asset, |keeping| keeping.binned_at = Some(NOW))?;
        Ok(row.recording.file_name)
    }

    async fn restore_recording(&self, asset: AssetId) -> Answer<()> {
        self.keep(asset, |keeping| *keeping = Keeping::default())
    }

    async fn hold_recording(&self, asset: AssetId, note: Option<String>) -> Answer<()> {
        self.keep(asset, |keeping| keeping.hold = Some(Hold { at: NOW, by: "ada@northlight.example".into(), note }))
    }

    async fn lift_hold(&self, asset: AssetId) -> Answer<()> {
        self.keep(asset, |keeping| keeping.hold = None)
    }

    async fn organisation(&self) -> Answer<OrganisationPage> {
        self.signed_in_state()?.organisation()
    }

    async fn save_organisation(&self, name: &str, settings: Settings) -> Answer<()> {
        self.change(|state| {
            state.name = name.into();
            state.settings = settings;
        })
    }

    async fn save_recording_settings(&self, settings: RecordingSettings) -> Answer<()> {
        settings.check().map_err(|error| BackendError::Refused(error.to_string()))?;
        self.change(|state| state.recording = settings)
    }

    async fn save_embed_domains(&self, domains: EmbedDomains) -> Answer<()> {
        self.change(|state| state.embed_domains = domains)
    }

    async fn save_webhook(&self, webhook: Option<WebhookUrl>) -> Answer<()> {
        self.change(|state| state.webhook = webhook)
    }

    async fn require_publish_key(&self, is_required: bool) -> Answer<()> {
        self.change(|state| state.publish_key_required = is_required)
    }

    async fn create_api_key(&self, form: KeyForm) -> Answer<String> {
        self.change(|state| {
            let KeyForm { label, role, expires_in_s } = form;
            let expires_at = expires_in_s.map(|seconds| NOW.plus_ms(1_000 * seconds.cast_signed()));
            state.keys.insert(
                0,
                ApiKeyRow {
                    id: KeyId(Uuid::from_u128(100 + state.keys.len() as u128)),
                    label,
                    role,
                    hint: "al_9Zt".into(),
                    created_at: NOW,
                    last_used_at: None,
                    expires_at,
                    has_expired: false,
                },
            );
        })?;
        Ok("al_9ZtFakeKeyThatOpensNothing0123456789".into())
    }

    async fn revoke_api_key(&self, key: KeyId) -> Answer<()> {
        self.change(|state| state.keys.retain(|row| row.id != key))
    }

    async fn audit(&self, filter: AuditFilter) -> Answer<AuditPage> {
        self.signed_in_state()?.audit(&filter)
    }

    async fn endpoints(&self) -> Answer<Vec<EndpointRow>> {
        self.signed_in_state()?.endpoints()
    }

    async fn endpoint(&self, id: EndpointId, _after: Option<String>) -> Answer<EndpointPage> {
        self.signed_in_state()?.endpoint_page(id)
    }

    async fn create_endpoint(&self, form: EndpointForm) -> Answer<EndpointId> {
        let mut id = ENDPOINT;
        self.change(|state| id = state.add_endpoint(form))?;
        Ok(id)
    }

    async fn change_endpoint(&self, id: EndpointId, form: EndpointForm) -> Answer<()> {
        self.change(|state| state.set_endpoint(id, form))
    }

    async fn switch_endpoint(&self, id: EndpointId, enabled: bool) -> Answer<()> {
        self.change(|state| state.endpoints.iter_mut().filter(|row| row.id == id).for_each(|row| row.enabled = enabled))
    }

    async fn delete_endpoint(&self, id: EndpointId) -> Answer<()> {
        self.change(|state| state.endpoints.retain(|row| row.id != id))
    }

    async fn rotate_endpoint_secret(&self, _id: EndpointId) -> Answer<()> {
        self.change(|state| state.secret_rotations += 1)
    }

    async fn test_endpoint(&self, _id: EndpointId) -> Answer<()> {
        self.change(events::add_test)
    }

    async fn resend_delivery(&self, delivery: MessageId) -> Answer<()> {
        self.change(|state| state.resend(delivery))
    }

    async fn people(&self) -> Answer<People> {
        Ok(self.signed_in_state()?.people())
    }

    async fn change_role(&self, user: UserId, role: Role) -> Answer<()> {
        if user == ADA && role != Role::Admin {
            return Err(BackendError::Refused("This is the last administrator.".into()));
        }
        self.change(|state| state.users.iter_mut().filter(|row| row.id == user).for_each(|row| row.role = role))
    }

    async fn remove_user(&self, user: UserId) -> Answer<()> {
        self.change(|state| state.users.retain(|row| row.id != user))
    }

    async fn invite(&self, email: &str, role: Role) -> Answer<String> {
        if self.signed_in_state()?.users.iter().any(|user| user.email == email) {
            return Err(BackendError::Refused("This email is taken.".into()));
        }
        self.change(|state| {
            let id = InvitationId(Uuid::from_u128(500 + state.invitations.len() as u128));
            let expires_at = NOW.plus_ms(7 * DAY_MS);
            let mail = state.mail.clone();
            state.invitations.insert(0, InvitationRow { id, email: email.into(), role, created_at: NOW, expires_at, mail });
        })?;
        Ok(format!("{ORIGIN}/invitation/{SECRET}"))
    }

    async fn revoke_invitation(&self, invitation: InvitationId) -> Answer<()> {
        self.change(|state| state.invitations.retain(|row| row.id != invitation))
    }

    async fn make_password_link(&self, _user: UserId) -> Answer<String> {
        drop(self.signed_in_state()?);
        Ok(format!("{ORIGIN}/password/{SECRET}"))
    }

    async fn mail_fate(&self, secret: &str) -> Answer<Option<MailFate>> {
        Ok(self.signed_in_state()?.mail.clone().filter(|_| secret == SECRET))
    }

    fn sends_mail(&self) -> bool {
        self.state().mail.is_some()
    }

    async fn ask_for_password_link(&self, email: &str) -> Answer<Asked> {
        Ok(match email {
            "too@often.example" => Asked::TooManyAttempts { retry_after_s: 30 },
            _ if self.sends_mail() => Asked::Taken,
            _ => Asked::NoMail,
        })
    }

    async fn invitation(&self, secret: &str) -> Answer<Option<Invited>> {
        let invited =
            || Invited { email: "dee@example.com".into(), role: Role::User, organisation_name: "Northlight Events".into() };
        Ok((secret == SECRET).then(invited))
    }

    async fn accept_invitation(&self, secret: &str, password: &str) -> Answer<Chosen> {
        self.choose_password(secret, password).await
    }

    async fn password_link(&self, secret: &str) -> Answer<Option<String>> {
        Ok((secret == SECRET).then(|| "dee@example.com".into()))
    }

    async fn choose_password(&self, secret: &str, password: &str) -> Answer<Chosen> {
        if secret != SECRET {
            return Ok(Chosen::WrongLink);
        }
        if let Err(weakness) = check_length(password) {
            return Ok(Chosen::Weak(weakness));
        }
        if self.state().second_factor.is_some() {
            self.state().is_code_asked = true;
            return Ok(Chosen::NeedsCode);
        }
        self.state().access = Access::SignedIn(viewer(Role::User));
        Ok(Chosen::Done)
    }

    async fn account(&self) -> Answer<Account> {
        let state = self.signed_in_state()?;
        let Access::SignedIn(Viewer { email, role, organisation_name, .. }) = state.access.clone() else {
            return Err(BackendError::SignedOut);
        };
        let (sessions, tokens) = (state.sessions.clone(), state.session_tokens.clone());
        let has_password = state.has_password;
        Ok(Account { email, role, organisation_name, has_password, sessions, tokens })
    }

    async fn change_password(&self, present: &str, password: &str) -> Answer<PasswordChange> {
        drop(self.signed_in_state()?);
        Ok(match check_length(password) {
            _ if present != PASSWORD => PasswordChange::WrongPassword,
            Err(weakness) => PasswordChange::Weak(weakness),
            Ok(()) => PasswordChange::Done,
        })
    }

    fn provider(&self) -> Option<String> {
        self.state().connection.as_ref().map(|connection| connection.provider.clone())
    }

    async fn connection(&self) -> Answer<Option<Connection>> {
        Ok(self.signed_in_state()?.connection.clone())
    }

    async fn disconnect(&self, present: &str) -> Answer<Disconnected> {
        if present != PASSWORD {
            return Ok(Disconnected::WrongPassword);
        }
        self.change(|state| state.connection.iter_mut().for_each(|connection| connection.account = None))?;
        Ok(Disconnected::Done)
    }

    async fn disconnect_user(&self, user: UserId) -> Answer<()> {
        self.change(|state| state.disconnect(user))
    }

    async fn end_session(&self, id: &str) -> Answer<()> {
        self.change(|state| state.sessions.retain(|session| session.id != id))
    }

    async fn end_session_token(&self, id: &str) -> Answer<()> {
        self.change(|state| state.session_tokens.retain(|token| token.id != id))
    }

    async fn end_other_sessions(&self) -> Answer<()> {
        self.change(|state| {
            state.sessions.retain(|session| session.is_this);
            state.session_tokens.clear();
        })
    }

    async fn put_flash(&self, text: String) -> Answer<()> {
        self.state().flash = Some(text);
        Ok(())
    }

    async fn take_flash(&self) -> Answer<Option<String>> {
        Ok(self.state().flash.take())
    }
}
