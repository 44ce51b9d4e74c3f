//! The server's side of the dashboard's port: one [`Dashboard`] a request, which knows the browser session and turns use cases into what pages
//! show. Checks no permission and runs no SQL: both are behind `service/`.

mod accounts;
mod asking;
mod audit;
mod events;
mod library;
mod present;
mod provider;
mod second_factor;
mod system;
mod user_agent;

use std::sync::atomic::Ordering;

use afterlive_app::backend::{
    Access, Account, Answer, Asked, AuditFilter, AuditPage, Backend, BackendError, Chosen, Connection, Disconnected,
    EndpointForm, EndpointPage, EndpointRow, Home, Invited, KeyForm, LibraryFilter, LibraryPage, MailFate, OrganisationPage,
    Overview, PasswordChange, People, PlaybackTokenRow, RecordingPage, RecordingRange, SetUp, SetUpForm, SignIn, StreamFilter,
    StreamPage, TokenForm, Viewer,
};
use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::push::PushUrl;
use afterlive_domain::{
    AssetId, EmbedDomains, EndpointId, Error as Refusal, InvitationId, KeyId, MessageId, Mode, Role, StreamId, StreamState, Tags,
    TokenId, UserId, WebhookUrl,
};

pub use self::asking::Dashboard;
use crate::http::browser_session;
use crate::publish_key::bare_name;
use crate::service::playback::{Expiry, Pass, RevokedToken, Secret, TokenOf, TokenWish};
use crate::service::{self, EndpointChange, Opens};

/// The longest text kept for the next page, in bytes: a form's outcome, not a place to store things.
const MAX_FLASH_BYTES: usize = 8 * 1024;

/// What an endpoint was told, on one page.
const DELIVERIES_A_PAGE: u32 = 25;

/// The most tags that the library suggests.
const MAX_SUGGESTED_TAGS: u32 = 200;

#[async_trait::async_trait]
impl Backend for Dashboard {
    fn is_secure(&self) -> bool {
        self.service.config().http.is_secure()
    }

    fn has_lost_session(&self) -> bool {
        self.lost_session.load(Ordering::Relaxed)
    }

    async fn access(&self) -> Answer<Access> {
        let found = browser_session::signed_in(&self.service, &self.session).await.map_err(|error| self.error(&error))?;
        let Some((caller, user)) = found else {
            let needed = self.service.needs_set_up().await.map_err(|error| self.error(&error))?;
            return self.access_of_stranger(needed).await;
        };
        let organisation = self.service.organisation(&caller).await.map_err(|error| self.error(&error))?;
        Ok(Access::SignedIn(Viewer {
            email: user.email,
            role: caller.role,
            system_administrator: user.system_administrator,
            organisation_name: organisation.name,
            organisation_hash: organisation.hash,
            settings: organisation.settings,
        }))
    }

    async fn sign_in(&self, email: &str, password: &str) -> Answer<SignIn> {
        match self.service.sign_in(email, password, self.asker()).await.map_err(|error| self.error(&error))? {
            service::SignIn::Done(user) => self.begin_session(&user).await.map(|()| SignIn::Done),
            service::SignIn::Suspended => Ok(SignIn::Suspended),
            service::SignIn::NeedsCode(half) => self.ask_for_code(&half).await.map(|()| SignIn::NeedsCode),
            service::SignIn::WrongCredentials => Ok(SignIn::WrongCredentials),
            service::SignIn::TooManyAttempts { retry_after_s } => Ok(SignIn::TooManyAttempts { retry_after_s }),
        }
    }

    async fn sign_out(&self) -> Answer<()> {
        // Who cannot be found is signed out all the same.
        let caller = self.caller().await.ok().flatten();
        self.session.flush().await.map_err(|cause| self.failed(&cause))?;
        if let Some(caller) = caller {
            self.service.note_sign_out(&caller);
        }
        Ok(())
    }

    async fn set_up(&self, form: SetUpForm) -> Answer<SetUp> {
        let SetUpForm { token, organisation_name, email, password } = form;
        let fields = service::SetUpForm { organisation_name: &organisation_name, email: &email, password: &password };
        match self.service.set_up_with_link(&token, fields, Some(self.address)).await {
            // What was made stands: who could not be signed in is led to the sign-in by the next page, and the log has why.
            Ok(service::SetUp::Done(made)) => {
                let _ = self.begin_session(&made.user).await;
                Ok(SetUp::Done)
            }
            Ok(service::SetUp::WrongLink) => Ok(SetUp::WrongLink),
            Err(service::Error::Refused(refusal)) => present::bad_field(&refusal),
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn home(&self) -> Answer<Home> {
        let caller = self.signed_in().await?;
        let glance = self.service.glance(&caller).await.map_err(|error| self.error(&error))?;
        Ok(present::home(&self.service, glance, self.pass(&caller).await?.as_ref()))
    }

    async fn streams(&self, filter: StreamFilter) -> Answer<StreamPage> {
        let caller = self.signed_in().await?;
        let (search, limit, offset) = present::search(filter);
        let table = self.service.stream_table(&caller, &search, limit, offset).await.map_err(|error| self.error(&error))?;
        Ok(present::stream_page(table))
    }

    async fn create_stream(&self, tags: Tags, default_mode: Mode) -> Answer<StreamId> {
        let caller = self.signed_in().await?;
        let made = self.service.create_stream(&caller, service::NewStream { tags, default_mode }).await;
        made.map(|made| made.id).map_err(|error| self.error(&error))
    }

    async fn overview(&self, stream: StreamId, recordings: RecordingRange, token: Option<String>) -> Answer<Overview> {
        let (caller, token) = (self.caller().await?, token.map(Secret));
        let slice = present::slice(recordings);
        let viewer = service::Viewer { caller, token: token.clone(), address: self.address, site: self.site.clone() };
        let overview = self.service.overview(&viewer, stream, slice).await.map_err(|error| self.error(&error))?;
        let settings = overview.organisation.settings;
        // The stills' way in; insiders' browsers send their cookie there.
        let guest = token.clone().filter(|_| overview.role.is_none() && !settings.live_public);
        let pass = match (&caller, token) {
            (Some(caller), _) if overview.role.is_some() => self.pass(caller).await?,
            (_, Some(token)) if !settings.vod_public => Some(Pass::given(token)),
            _ => None,
        };
        Ok(present::overview(&self.service, overview, pass.as_ref(), guest.as_ref()))
    }

    async fn playback_tokens(&self, stream: StreamId) -> Answer<Vec<PlaybackTokenRow>> {
        let caller = self.signed_in().await?;
        let issued = self.service.playback_tokens(&caller, Some(stream)).await.map_err(|error| self.error(&error))?;
        Ok(issued.into_iter().map(present::playback_token).collect())
    }

    async fn make_playback_token(&self, stream: StreamId, form: TokenForm) -> Answer<String> {
        let caller = self.signed_in().await?;
        let TokenForm { label, expires_in_s, ips, domains } = form;
        let (of, expiry) = (TokenOf::Stream(stream), Expiry::In(expires_in_s));
        let wish = TokenWish { of, expiry, not_before: None, ips, domains, label: Some(label) };
        let made = self.service.make_playback_token(&caller, &wish).await.map_err(|error| self.error(&error))?;
        let Secret(token) = made.token;
        Ok(token)
    }

    async fn revoke_playback_token(&self, token: TokenId) -> Answer<()> {
        let caller = self.signed_in().await?;
        let revoked = self.service.revoke_playback_token(&caller, RevokedToken::Id(token)).await;
        revoked.map(drop).map_err(|error| self.error(&error))
    }

    async fn renew_playback_secret(&self) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.renew_playback_secret(&caller).await.map_err(|error| self.error(&error))
    }

    async fn set_tags(&self, stream: StreamId, tags: Tags) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.set_tags(&caller, stream, &tags).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn set_push_url(&self, stream: StreamId, url: &str) -> Answer<()> {
        let caller = self.signed_in().await?;
        let url = if url.is_empty() { None } else { Some(PushUrl::parse(url).map_err(|refusal| present::refusal(&refusal))?) };
        self.service.set_push_url(&caller, stream, url.as_ref()).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn stop_and_lock(&self, stream: StreamId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.lock_stream(&caller, stream).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn unlock(&self, stream: StreamId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.unlock_stream(&caller, stream).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn renew_publish_key(&self, stream: StreamId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.renew_publish_key(&caller, stream).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn delete_stream(&self, stream: StreamId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.delete_stream(&caller, stream).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn library(&self, filter: LibraryFilter) -> Answer<LibraryPage> {
        let caller = self.signed_in().await?;
        let stream = match filter.stream.as_deref() {
            Some(text) => Some(self.service.stream_called(&caller, bare_name(text)).await.map_err(|error| self.error(&error))?),
            None => None,
        };
        let page = match stream {
            // Nothing is called so.
            Some(None) => service::AssetPage { assets: Vec::new(), next: None },
            named => {
                let list = library::asset_list(filter, named.flatten());
                self.service.assets(&caller, &list).await.map_err(|error| self.error(&error))?
            }
        };
        let tags = self.service.tags(&caller, MAX_SUGGESTED_TAGS).await.map_err(|error| self.error(&error))?;
        Ok(library::page(&self.service, page, tags, caller.role, self.pass(&caller).await?.as_ref()))
    }

    async fn recording(&self, asset: AssetId) -> Answer<RecordingPage> {
        let caller = self.signed_in().await?;
        let listed = self.service.asset(&caller, asset).await.map_err(|error| self.error(&error))?;
        let account = self.service.asset_report(&caller, asset).await.map_err(|error| self.error(&error))?;
        let stream = self.service.stream(&caller, listed.asset.stream).await.map_err(|error| self.error(&error))?;
        let has_stream = stream.state != StreamState::Deleted;
        library::recording(&self.service, listed, account, has_stream, caller.role, self.pass(&caller).await?.as_ref())
    }

    async fn bin_recording(&self, asset: AssetId) -> Answer<String> {
        let caller = self.signed_in().await?;
        let deleted = self.service.delete_asset(&caller, asset).await.map_err(|error| self.error(&error))?;
        Ok(deleted.asset.file_name)
    }

    async fn restore_recording(&self, asset: AssetId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.restore_asset(&caller, asset).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn hold_recording(&self, asset: AssetId, note: Option<String>) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.hold_asset(&caller, asset, note.as_deref()).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn lift_hold(&self, asset: AssetId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.lift_hold(&caller, asset).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn organisation(&self) -> Answer<OrganisationPage> {
        let caller = self.signed_in().await?;
        let organisation = self.service.organisation(&caller).await.map_err(|error| self.error(&error))?;
        let keys = match self.service.api_keys(&caller).await {
            Ok(keys) => Some(keys),
            Err(service::Error::Refused(Refusal::Denied { .. })) => None,
            Err(error) => return Err(self.error(&error)),
        };
        Ok(present::organisation(&self.service, caller.role, organisation, keys))
    }

    async fn save_organisation(&self, name: &str, settings: Settings) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.save_organisation(&caller, name, settings).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn save_recording_settings(&self, settings: RecordingSettings) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.change_recording_settings(&caller, |_| settings).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn save_embed_domains(&self, domains: EmbedDomains) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.set_embed_domains(&caller, &domains).await.map_err(|error| self.error(&error))
    }

    async fn save_webhook(&self, webhook: Option<WebhookUrl>) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.set_webhook(&caller, webhook.as_ref()).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn require_publish_key(&self, is_required: bool) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.require_publish_key(&caller, is_required, false).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn create_api_key(&self, form: KeyForm) -> Answer<String> {
        let caller = self.signed_in().await?;
        let opens = form.role.map_or(Opens::Playout, Opens::Role);
        let made = self.service.create_api_key(&caller, &form.label, opens, form.expires_in_s.map(Expiry::In)).await;
        made.map(|key| key.secret).map_err(|error| self.error(&error))
    }

    async fn revoke_api_key(&self, key: KeyId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.revoke_api_key(&caller, key).await.map(drop).map_err(|error| self.error(&error))
    }

    async fn audit(&self, filter: AuditFilter) -> Answer<AuditPage> {
        let caller = self.signed_in().await?;
        let (filter, after) = audit::asked(filter);
        let page = self.service.audit_page(&caller, &filter, after).await.map_err(|error| self.error(&error))?;
        Ok(audit::page(page, self.service.config().audit.keep_days))
    }

    async fn endpoints(&self) -> Answer<Vec<EndpointRow>> {
        let caller = self.signed_in().await?;
        let endpoints = self.service.all_endpoints(&caller).await.map_err(|error| self.error(&error))?;
        Ok(endpoints.into_iter().map(events::row).collect())
    }

    async fn endpoint(&self, id: EndpointId, after: Option<String>) -> Answer<EndpointPage> {
        let caller = self.signed_in().await?;
        let endpoint = self.service.find_endpoint(&caller, id).await.map_err(|error| self.error(&error))?;
        let after = after.and_then(|after| after.parse().ok());
        let page = self.service.deliveries(&caller, id, after, DELIVERIES_A_PAGE).await.map_err(|error| self.error(&error))?;
        Ok(events::page(endpoint, page, self.service.clock().now()))
    }

    async fn create_endpoint(&self, form: EndpointForm) -> Answer<EndpointId> {
        let caller = self.signed_in().await?;
        let made = self.service.create_endpoint(&caller, form.url, form.kinds, true).await;
        made.map(|made| made.id).map_err(|error| self.of_endpoints(&error))
    }

    async fn change_endpoint(&self, id: EndpointId, form: EndpointForm) -> Answer<()> {
        let caller = self.signed_in().await?;
        let change = EndpointChange { url: Some(form.url), kinds: Some(form.kinds), enabled: None };
        self.service.change_endpoint(&caller, id, change).await.map(drop).map_err(|error| self.of_endpoints(&error))
    }

    async fn switch_endpoint(&self, id: EndpointId, enabled: bool) -> Answer<()> {
        let caller = self.signed_in().await?;
        let change = EndpointChange { enabled: Some(enabled), ..EndpointChange::default() };
        self.service.change_endpoint(&caller, id, change).await.map(drop).map_err(|error| self.of_endpoints(&error))
    }

    async fn delete_endpoint(&self, id: EndpointId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.delete_endpoint(&caller, id).await.map_err(|error| self.of_endpoints(&error))
    }

    async fn rotate_endpoint_secret(&self, id: EndpointId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.rotate_endpoint_secret(&caller, id).await.map(drop).map_err(|error| self.of_endpoints(&error))
    }

    async fn test_endpoint(&self, id: EndpointId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.test_endpoint(&caller, id).await.map(drop).map_err(|error| self.of_endpoints(&error))
    }

    async fn resend_delivery(&self, delivery: MessageId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.resend_delivery(&caller, delivery).await.map_err(|error| self.of_endpoints(&error))
    }

    async fn people(&self) -> Answer<People> {
        let caller = self.signed_in().await?;
        let users = self.service.users(&caller).await.map_err(|error| self.error(&error))?;
        let invitations = self.service.invitations(&caller).await.map_err(|error| self.error(&error))?;
        let about = self.about_people(&caller).await?;
        Ok(accounts::people(&caller, users, invitations, about))
    }

    async fn change_role(&self, user: UserId, role: Role) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.change_role(&caller, user, role).await.map_err(|error| self.error(&error))
    }

    async fn remove_user(&self, user: UserId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.remove_user(&caller, user).await.map_err(|error| self.error(&error))
    }

    async fn invite(&self, email: &str, role: Role) -> Answer<String> {
        let caller = self.signed_in().await?;
        self.service.invite(&caller, email, role).await.map_err(|error| self.error(&error))
    }

    async fn revoke_invitation(&self, invitation: InvitationId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.revoke_invitation(&caller, invitation).await.map_err(|error| self.error(&error))
    }

    async fn make_password_link(&self, user: UserId) -> Answer<String> {
        let caller = self.signed_in().await?;
        self.service.make_password_link(&caller, user).await.map_err(|error| self.error(&error))
    }

    async fn mail_fate(&self, secret: &str) -> Answer<Option<MailFate>> {
        let caller = self.signed_in().await?;
        let found = self.service.mail_fate(&caller, secret).await.map_err(|error| self.error(&error))?;
        Ok(found.map(accounts::mail_fate))
    }

    fn sends_mail(&self) -> bool {
        self.service.sends_mail()
    }

    async fn ask_for_password_link(&self, email: &str) -> Answer<Asked> {
        Ok(match self.service.ask_for_password_link(email, self.address) {
            service::Asked::Taken => Asked::Taken,
            service::Asked::TooManyAttempts { retry_after_s } => Asked::TooManyAttempts { retry_after_s },
            service::Asked::NoMail => Asked::NoMail,
        })
    }

    async fn invitation(&self, secret: &str) -> Answer<Option<Invited>> {
        let found = self.service.invitation(secret).await.map_err(|error| self.error(&error))?;
        Ok(found.map(|(invitation, organisation_name)| accounts::invited(invitation, organisation_name)))
    }

    async fn accept_invitation(&self, secret: &str, password: &str) -> Answer<Chosen> {
        match self.service.accept_invitation(secret, password, Some(self.address)).await {
            Err(service::Error::Refused(Refusal::NotUnique { .. })) => Ok(Chosen::Taken),
            chosen => self.begin_chosen(chosen).await,
        }
    }

    async fn password_link(&self, secret: &str) -> Answer<Option<String>> {
        let found = self.service.password_link(secret).await.map_err(|error| self.error(&error))?;
        Ok(found.map(|user| user.email))
    }

    async fn choose_password(&self, secret: &str, password: &str) -> Answer<Chosen> {
        self.begin_chosen(self.service.set_password_by_link(secret, password, Some(self.address)).await).await
    }

    async fn account(&self) -> Answer<Account> {
        let caller = self.signed_in().await?;
        let open = self.service.open_account(&caller).await.map_err(|error| self.error(&error))?;
        let organisation = self.service.organisation(&caller).await.map_err(|error| self.error(&error))?;
        Ok(accounts::account(open, organisation.name, self.session_id().as_deref()))
    }

    async fn change_password(&self, present: &str, password: &str) -> Answer<PasswordChange> {
        let caller = self.signed_in().await?;
        let change = self.service.change_password(&caller, present, password, self.session_id().as_deref()).await;
        match change.map_err(|error| self.error(&error))? {
            service::PasswordChange::Done(user) => {
                Ok(self.begin_session(&user).await.map_or(PasswordChange::NotSignedIn, |()| PasswordChange::Done))
            }
            service::PasswordChange::WrongPassword => Ok(PasswordChange::WrongPassword),
            service::PasswordChange::Weak(weakness) => Ok(PasswordChange::Weak(weakness)),
            service::PasswordChange::TooManyAttempts { retry_after_s } => Ok(PasswordChange::TooManyAttempts { retry_after_s }),
        }
    }

    fn provider(&self) -> Option<String> {
        self.service.provider().map(|provider| provider.name().to_owned())
    }

    async fn connection(&self) -> Answer<Option<Connection>> {
        self.own_connection().await
    }

    async fn disconnect(&self, present: &str) -> Answer<Disconnected> {
        self.disconnect_own(present).await
    }

    async fn disconnect_user(&self, user: UserId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.disconnect_user(&caller, user).await.map_err(|error| self.error(&error))
    }

    async fn end_session(&self, id: &str) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.end_session(&caller, id).await.map_err(|error| self.error(&error))
    }

    async fn end_session_token(&self, id: &str) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.end_session_token(&caller, id).await.map_err(|error| self.error(&error))
    }

    async fn end_other_sessions(&self) -> Answer<()> {
        let caller = self.signed_in().await?;
        let (session, browser) = (self.session_id(), self.known_browser.secret());
        let ended = self.service.end_other_sessions(&caller, session.as_deref(), browser).await;
        ended.map_err(|error| self.error(&error))
    }

    async fn put_flash(&self, text: String) -> Answer<()> {
        if text.len() > MAX_FLASH_BYTES {
            return Err(present::refusal(&Refusal::BodyTooLarge { limit_bytes: MAX_FLASH_BYTES as u64 }));
        }
        // A stranger's form must not write rows. The set-up form is a stranger's too, while there is nobody else.
        let is_stranger = self.caller().await?.is_none() && !self.is_enrolling().await?;
        if is_stranger && !self.service.needs_set_up().await.map_err(|error| self.error(&error))? {
            return Err(BackendError::SignedOut);
        }
        browser_session::put_flash(self.service.db(), &self.session, &text).await.map_err(|cause| self.failed(&cause))
    }

    async fn take_flash(&self) -> Answer<Option<String>> {
        let now = self.service.clock().now();
        browser_session::take_flash(self.service.db(), &self.session, now).await.map_err(|cause| self.failed(&cause))
    }
}
