//! The port to the server, in domain words: all that the pages ask for and do. The server implements it over its services; a fake serves tests.
//!
//! A [`Backend`] belongs to one request: it knows the caller from the browser session, so no method takes a user, and each checks the caller's
//! permissions itself. Everything here travels to the browser as JSON.

mod accounts;
mod audit;
mod events;
mod library;
mod organisation;
mod overview;
mod provider;
mod second_factor;
mod streams;
mod system;

use std::sync::Arc;

use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::{
    AssetId, EmbedDomains, EndpointId, InvitationId, KeyId, MessageId, Mode, OrganisationHash, Role, StreamId, Tags, TokenId,
    UserId, WebhookUrl,
};
use serde::{Deserialize, Serialize};

pub use accounts::{
    Account, Asked, Chosen, InvitationRow, Invited, MailFate, PasswordChange, People, SessionRow, SessionTokenRow, UserRow,
};
pub use audit::{AuditFilter, AuditPage, AuditRow, Named};
pub use events::{DeliveryRow, EndpointForm, EndpointPage, EndpointRow};
pub use library::{Keeping, LibraryFilter, LibraryPage, LibraryRow, RecordingPage, RecordingRow, Shelf};
pub use organisation::{ApiKeyRow, KeyForm, OrganisationPage, PlaybackTokenRow, RegionRow, TokenForm, TokenScope};
pub use overview::{
    IngestUrls, KeyInName, Level, LiveAudio, LiveFacts, LiveVideo, Loudness, Overview, PlayoutUrls, Push, PushState,
    RecordingRange, Recordings, RtmpsUrls,
};
pub use provider::{Connection, Disconnected, ProviderAccount};
pub use second_factor::{Offer, Proof, SecondFactor, SecondFactorRule, SecondFactors};
pub use streams::{DayTraffic, Home, LatestRecording, RegionUse, StateCounts, StreamFilter, StreamPage, StreamRow, StreamSort};
pub use system::{
    System, SystemAdministratorRow, SystemPage, TenantAdministratorRow, TenantInvitationRow, TenantPage, TenantRow,
};

/// How the pages reach the server: provided as a Leptos context for each request.
pub type SharedBackend = Arc<dyn Backend>;

/// Who looks at the page, and where things are: what every page needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Viewer {
    pub email: String,
    pub role: Role,
    /// Whether they administer the installation too.
    pub system_administrator: bool,
    pub organisation_name: String,
    pub organisation_hash: OrganisationHash,
    pub settings: Settings,
}

/// What stands between the caller and the pages.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Access {
    /// There is no organisation yet: only the set-up link opens anything.
    NotSetUp,
    SignedOut,
    /// Signed in, and may do nothing before setting up a second factor, which the organisation asks of everybody.
    MustEnrol {
        email: String,
        /// Setting one up takes it; who joined by the sign-in provider may have none.
        has_password: bool,
    },
    SignedIn(Viewer),
}

/// How an attempt to sign in ended. Not an error: each is an answer that the form shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum SignIn {
    Done,
    /// The password is right, and a code is asked for.
    NeedsCode,
    /// Unknown e-mail or wrong password; which of them is not said.
    WrongCredentials,
    /// The password is right, and nobody of the user's organisation is let in.
    Suspended,
    TooManyAttempts {
        retry_after_s: u32,
    },
}

/// The first organisation and its first admin.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SetUpForm {
    pub token: String,
    pub organisation_name: String,
    pub email: String,
    pub password: String,
}

/// How the set-up ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum SetUp {
    /// Made, and signed in.
    Done,
    /// The link is not the one printed at this start, or has been used.
    WrongLink,
    /// `field` is the form's name of it; `problem` a sentence.
    BadField { field: String, problem: String },
}

/// Why a page or an action did not happen, in what the browser may know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum BackendError {
    #[error("Please sign in.")]
    SignedOut,
    #[error("Your role does not allow this.")]
    Denied,
    #[error("There is nothing here, or it belongs to another organisation.")]
    NotFound,
    /// A sentence that says what to mend.
    #[error("{0}")]
    Refused(String),
    /// Others ask for so much that there is no room for it now.
    #[error("The server has too much to do at the moment. Please try again in {retry_after_s} s.")]
    NotNow { retry_after_s: u32 },
    #[error("Something went wrong on the server. Nothing was changed. The log has the cause under {request_id}.")]
    Internal { request_id: String },
    /// No backend says this: the browser's word for an answer that did not come.
    #[error("The server could not be reached: it is away, or this browser's network is. Please try again.")]
    Unreachable,
}

impl BackendError {
    /// The HTTP status of a page that shows this.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Refused(_) => 409,
            Self::Internal { .. } => 500,
            Self::NotNow { .. } | Self::Unreachable => 503,
        }
    }
}

pub type Answer<T> = Result<T, BackendError>;

#[async_trait::async_trait]
pub trait Backend: System + SecondFactors + Send + Sync {
    /// Whether browsers come by TLS alone: cookies are then sent over nothing else.
    fn is_secure(&self) -> bool;
    /// Whether the browser came with a session that is over, though it did not sign out by itself: known once somebody has asked who it is.
    fn has_lost_session(&self) -> bool;
    async fn access(&self) -> Answer<Access>;
    /// On `Done` the browser session is signed in, under a new id.
    async fn sign_in(&self, email: &str, password: &str) -> Answer<SignIn>;
    async fn sign_out(&self) -> Answer<()>;
    async fn set_up(&self, form: SetUpForm) -> Answer<SetUp>;

    async fn home(&self) -> Answer<Home>;
    async fn streams(&self, filter: StreamFilter) -> Answer<StreamPage>;
    async fn create_stream(&self, tags: Tags, default_mode: Mode) -> Answer<StreamId>;
    /// Opens without signing in where live is public, or with a playback token; then without recordings where those are not public.
    async fn overview(&self, stream: StreamId, recordings: RecordingRange, token: Option<String>) -> Answer<Overview>;
    /// The tokens that open the stream and can be revoked, newest first.
    async fn playback_tokens(&self, stream: StreamId) -> Answer<Vec<PlaybackTokenRow>>;
    /// The token itself, which is never shown again.
    async fn make_playback_token(&self, stream: StreamId, form: TokenForm) -> Answer<String>;
    async fn revoke_playback_token(&self, token: TokenId) -> Answer<()>;
    /// Ends all of the organisation's tokens.
    async fn renew_playback_secret(&self) -> Answer<()>;
    async fn set_tags(&self, stream: StreamId, tags: Tags) -> Answer<()>;
    /// Where it is also pushed to while it is live; an empty text: nowhere.
    async fn set_push_url(&self, stream: StreamId, url: &str) -> Answer<()>;
    /// Cuts the running publish, if there is one, and refuses new ones.
    async fn stop_and_lock(&self, stream: StreamId) -> Answer<()>;
    async fn unlock(&self, stream: StreamId) -> Answer<()>;
    /// The key before it lets nobody in any more; what is on air goes on.
    async fn renew_publish_key(&self, stream: StreamId) -> Answer<()>;
    /// The stream and its recordings.
    async fn delete_stream(&self, stream: StreamId) -> Answer<()>;

    /// The recordings of the organisation, newest first.
    async fn library(&self, filter: LibraryFilter) -> Answer<LibraryPage>;
    async fn recording(&self, asset: AssetId) -> Answer<RecordingPage>;
    /// Takes it from its URL and puts it into the bin. Answers with the name of its file.
    async fn bin_recording(&self, asset: AssetId) -> Answer<String>;
    /// Brings it back to its URL.
    async fn restore_recording(&self, asset: AssetId) -> Answer<()>;
    /// Sets the legal hold; `note` says why.
    async fn hold_recording(&self, asset: AssetId, note: Option<String>) -> Answer<()>;
    async fn lift_hold(&self, asset: AssetId) -> Answer<()>;

    async fn organisation(&self) -> Answer<OrganisationPage>;
    async fn save_organisation(&self, name: &str, settings: Settings) -> Answer<()>;
    async fn save_recording_settings(&self, settings: RecordingSettings) -> Answer<()>;
    /// Which sites may show the player in a frame.
    async fn save_embed_domains(&self, domains: EmbedDomains) -> Answer<()>;
    /// `None`: nobody is asked.
    async fn save_webhook(&self, webhook: Option<WebhookUrl>) -> Answer<()>;
    /// Whether an encoder must show its stream's publish key.
    async fn require_publish_key(&self, is_required: bool) -> Answer<()>;
    /// The key itself, which is never shown again.
    async fn create_api_key(&self, form: KeyForm) -> Answer<String>;
    async fn revoke_api_key(&self, key: KeyId) -> Answer<()>;

    /// Where programs are told of events, oldest first. For administrators, as is all that follows about them.
    async fn audit(&self, filter: AuditFilter) -> Answer<AuditPage>;

    async fn endpoints(&self) -> Answer<Vec<EndpointRow>>;
    /// `after`: where the page of what it was told begins, as the page before says; `None` with the newest.
    async fn endpoint(&self, id: EndpointId, after: Option<String>) -> Answer<EndpointPage>;
    async fn create_endpoint(&self, form: EndpointForm) -> Answer<EndpointId>;
    async fn change_endpoint(&self, id: EndpointId, form: EndpointForm) -> Answer<()>;
    async fn switch_endpoint(&self, id: EndpointId, enabled: bool) -> Answer<()>;
    async fn delete_endpoint(&self, id: EndpointId) -> Answer<()>;
    /// The secret before signs too for a day.
    async fn rotate_endpoint_secret(&self, id: EndpointId) -> Answer<()>;
    async fn test_endpoint(&self, id: EndpointId) -> Answer<()>;
    async fn resend_delivery(&self, delivery: MessageId) -> Answer<()>;

    /// For administrators.
    async fn people(&self) -> Answer<People>;
    async fn change_role(&self, user: UserId, role: Role) -> Answer<()>;
    /// Signed out everywhere at once.
    async fn remove_user(&self, user: UserId) -> Answer<()>;
    /// The link, which is never shown again.
    async fn invite(&self, email: &str, role: Role) -> Answer<String>;
    async fn revoke_invitation(&self, invitation: InvitationId) -> Answer<()>;
    /// The link by which the user sets a new password, which is never shown again.
    async fn make_password_link(&self, user: UserId) -> Answer<String>;
    /// What became of the mail with such a link, of which `secret` is the last part; `None` where it was mailed to nobody.
    async fn mail_fate(&self, secret: &str) -> Answer<Option<MailFate>>;
    /// Whether there is a mail server.
    fn sends_mail(&self) -> bool;
    /// For who has forgotten the password. The answer does not say whether there is such a user.
    async fn ask_for_password_link(&self, email: &str) -> Answer<Asked>;
    /// For who has the link, of which `secret` is the last part; `None` where it is worth nothing.
    async fn invitation(&self, secret: &str) -> Answer<Option<Invited>>;
    async fn accept_invitation(&self, secret: &str, password: &str) -> Answer<Chosen>;
    /// Whose password the link sets.
    async fn password_link(&self, secret: &str) -> Answer<Option<String>>;
    /// Ends all of the user's sessions but the new one.
    async fn choose_password(&self, secret: &str, password: &str) -> Answer<Chosen>;

    /// The caller's own.
    async fn account(&self) -> Answer<Account>;
    /// On `Done` all sessions have ended but this browser's, which goes on under a new id.
    async fn change_password(&self, present: &str, password: &str) -> Answer<PasswordChange>;
    /// By which people may sign in besides their passwords, as they call it; `None` where there is none.
    fn provider(&self) -> Option<String>;
    /// How the caller stands to the provider; `None` where there is none.
    async fn connection(&self) -> Answer<Option<Connection>>;
    /// On `Done` all that came by the provider has ended, and this browser goes on by the password under a new id.
    async fn disconnect(&self, present: &str) -> Answer<Disconnected>;
    /// Another one, by an administrator.
    async fn disconnect_user(&self, user: UserId) -> Answer<()>;
    async fn end_session(&self, id: &str) -> Answer<()>;
    async fn end_session_token(&self, id: &str) -> Answer<()>;
    /// All of the caller's, and all session tokens, but this browser's.
    async fn end_other_sessions(&self) -> Answer<()>;

    /// Keeps `text` in the browser session until the next [`take_flash`](Self::take_flash): how the outcome of a form reaches the page after it
    /// where there is no JavaScript, and a new API key never stands in a URL.
    async fn put_flash(&self, text: String) -> Answer<()>;
    async fn take_flash(&self) -> Answer<Option<String>>;
}
