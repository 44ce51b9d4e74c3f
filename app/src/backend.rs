//! The port to the server, in domain words: all that the pages ask for and do. The server implements it over its services; a fake serves tests.
//!
//! A [`Backend`] belongs to one request: it knows the caller from the browser session, so no method takes a user, and each checks the caller's
//! permissions itself. Everything here travels to the browser as JSON.

mod library;

use std::sync::Arc;

use afterlive_domain::{
    AssetId, AssetState, EmbedDomains, KeyId, Mode, OrganisationHash, Region, Role, StreamId, StreamState, Streamname, Tags,
    TokenId, UnixMillis,
    organisation::{RecordingRules, RecordingSettings, Settings},
};
use serde::{Deserialize, Serialize};

pub use library::{Keeping, LibraryFilter, LibraryPage, LibraryRow, RecordingPage, Shelf};

/// How the pages reach the server: provided as a Leptos context for each request.
pub type SharedBackend = Arc<dyn Backend>;

/// Who looks at the page, and where things are: what every page needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Viewer {
    pub email: String,
    pub role: Role,
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
    SignedIn(Viewer),
}

/// How an attempt to sign in ended. Not an error: each is an answer that the form shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum SignIn {
    Done,
    /// Unknown e-mail or wrong password; which of them is not said.
    WrongCredentials,
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

/// How many streams are in each state; deleted ones are not in `all`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StateCounts {
    pub all: u64,
    pub live: u64,
    pub created: u64,
    pub ended: u64,
    pub locked: u64,
    pub deleted: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegionUse {
    pub region: Region,
    pub recordings: u64,
    pub bytes: u64,
}

/// Ingested bytes of one UTC day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DayTraffic {
    /// `2026-11-04`
    pub day: String,
    pub bytes: u64,
}

/// The start page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Home {
    pub counts: StateCounts,
    pub storage: Vec<RegionUse>,
    /// The last 14 days, oldest first, none left out.
    pub ingest: Vec<DayTraffic>,
    /// The latest 5.
    pub streams: Vec<StreamRow>,
    /// The latest 5.
    pub recordings: Vec<RecordingRow>,
}

/// One stream in a table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamRow {
    pub id: StreamId,
    pub streamname: Streamname,
    pub state: StreamState,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
    pub tags: Tags,
    pub recordings: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamSort {
    /// Newest first.
    #[default]
    Created,
    /// Last updated first.
    Updated,
    Name,
}

/// What the list of streams shows; lives in the URL's query.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StreamFilter {
    /// `None`: all but the deleted.
    pub state: Option<StreamState>,
    pub tag: Option<String>,
    /// Part of an id, a streamname or a tag.
    pub search: Option<String>,
    /// Created at or after.
    pub from: Option<UnixMillis>,
    /// Created before.
    pub to: Option<UnixMillis>,
    pub sort: StreamSort,
    /// 25, 50, 100 or 150; anything else is brought to the nearest below, or 25.
    pub page_size: u32,
    /// Counted from 1; one past the end is empty.
    pub page: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamPage {
    pub rows: Vec<StreamRow>,
    /// How many there are on all pages.
    pub total: u64,
    pub counts: StateCounts,
    /// All tags of the organisation, for suggestions; at most 200.
    pub tags: Vec<String>,
}

/// One recording in a table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordingRow {
    pub id: AssetId,
    pub stream: StreamId,
    pub streamname: Streamname,
    /// Counted from 1.
    pub index: u32,
    pub file_name: String,
    /// Where the MP4 is; while it is being recorded, what there is of it so far.
    pub url: String,
    /// Where recordings are not public: what lets these pages' own players, pictures and downloads load. It is good for some hours, and stands in nothing that
    /// is copied.
    pub pass: Option<String>,
    /// A picture, where there is one.
    pub poster_url: Option<String>,
    /// While it is being recorded: what it looked like some seconds ago. For these pages alone, and another URL for each.
    pub still_url: Option<String>,
    /// Pictures for scrubbing, where there are: WebVTT, each cue a part of an image.
    pub storyboard_url: Option<String>,
    pub state: AssetState,
    /// Why it is incomplete or failed, as a sentence.
    pub reason: Option<String>,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
    /// So far, where it is being recorded.
    pub duration_ms: u64,
    /// So far, where it is being recorded.
    pub size_bytes: u64,
    pub region: Region,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fps: Option<f64>,
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
}

impl RecordingRow {
    /// A URL of this recording as these pages themselves load it.
    #[must_use]
    pub fn to_load(&self, url: &str) -> String {
        match &self.pass {
            Some(pass) => crate::query::and_query(url, &format!("token={pass}")),
            None => url.to_owned(),
        }
    }

    #[must_use]
    pub fn play_url(&self) -> String {
        self.to_load(&self.url)
    }

    #[must_use]
    pub fn download_url(&self) -> String {
        crate::query::and_query(&self.play_url(), "download")
    }
}

/// Which of a stream's recordings to list.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum RecordingRange {
    /// Counted from 1, 10 a page.
    Page(u32),
    All,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recordings {
    /// Newest first; the one in progress on top.
    pub rows: Vec<RecordingRow>,
    pub total: u64,
}

/// What arrives right now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveFacts {
    pub since: UnixMillis,
    pub mode: Mode,
    /// `rtmp`
    pub protocol: String,
    pub video: Option<LiveVideo>,
    pub audio: Option<LiveAudio>,
    /// Over the last seconds.
    pub bitrate_bps: u64,
    /// How much later than the earliest frame, by their timestamps, the latest came in the last seconds.
    pub jitter_ms: Option<u64>,
    /// Bits a second, one value a second, oldest first; at most 300.
    pub bitrate_history_bps: Vec<u64>,
    pub bytes_in: u64,
    /// A picture of some seconds ago, where there is one; another URL for each.
    pub still_url: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveVideo {
    pub codec: String,
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    pub keyframe_interval_ms: Option<u64>,
    /// Frames are shown in another order than they are sent in: there are B-frames.
    pub is_reordered: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LiveAudio {
    pub codec: String,
    pub sample_rate_hz: u32,
    pub channels: u8,
}

/// What an encoder needs. Absent for viewers from outside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IngestUrls {
    /// `rtmp://HOST:1935/rec`, what OBS calls "Server".
    pub rec_url: String,
    pub live_url: String,
    pub default_mode: Mode,
    /// What OBS calls "Stream Key".
    pub stream_key: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlayoutUrls {
    /// The playout page.
    pub page: String,
    /// The player alone, for frames in other people's pages.
    pub embed: String,
    /// What the player plays live, below our own origin: `/live/STREAMNAME`.
    pub live_path: String,
    /// The list of an HLS stream.
    pub hls: String,
    /// Fragmented MP4 over a WebSocket.
    pub websocket: String,
    /// RTMP play.
    pub rtmp: String,
    /// The newest finished recording.
    pub newest_recording: Option<String>,
}

/// Where a stream is also pushed to, and how that does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Push {
    /// Without its key for readers.
    pub url: Option<String>,
    /// While the stream is live.
    pub state: Option<PushState>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum PushState {
    Connecting,
    Pushing { since: UnixMillis, bytes: u64 },
    Failed { reason: String, next_try_at: UnixMillis },
}

/// What `/stream/ID`, `/playout/ID` and `/webcaster/ID` have in common.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Overview {
    pub stream: StreamRow,
    pub default_mode: Mode,
    /// `None` for a viewer from outside, who must not publish.
    pub ingest: Option<IngestUrls>,
    pub playout: PlayoutUrls,
    /// `None` for a viewer from outside.
    pub push: Option<Push>,
    /// What the playout page plays: the recording in progress, once there is something of it to see, or else the newest finished one.
    pub on_stage: Option<RecordingRow>,
    pub live: Option<LiveFacts>,
    pub recordings: Recordings,
    /// Off: `/rec` behaves as `/live`, and the page says so.
    pub recording_enabled: bool,
    /// Whether people who are not signed in see the playout page, and what is live on it.
    pub live_public: bool,
    /// Whether they see recordings there.
    pub vod_public: bool,
    /// So long what is deleted can be restored.
    pub bin_days: u64,
    /// The caller's role; `None` for a viewer from outside.
    pub role: Option<Role>,
}

/// A playback token that was given a label: what it says, never itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlaybackTokenRow {
    pub id: TokenId,
    pub label: String,
    pub scope: TokenScope,
    pub not_before: Option<UnixMillis>,
    pub expires_at: UnixMillis,
    /// Addresses and networks; empty where any will do.
    pub ips: Vec<String>,
    /// Empty where any will do.
    pub domains: Vec<String>,
    /// Who made it, in words for people.
    pub made_by: String,
    pub created_at: UnixMillis,
}

/// What a playback token is good for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TokenScope {
    Organisation,
    Stream,
    /// Streams that have each of them.
    Tags(Tags),
}

/// A token to be made for one stream, as people type it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TokenForm {
    pub label: String,
    pub expires_in_s: u64,
    pub ips: Vec<String>,
    pub domains: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApiKeyRow {
    pub id: KeyId,
    pub label: String,
    pub role: Role,
    /// Its first letters.
    pub hint: String,
    pub created_at: UnixMillis,
    pub last_used_at: Option<UnixMillis>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegionRow {
    pub region: Region,
    pub vod_url: String,
    /// Where this node's recordings go unless the encoder's host name says otherwise.
    pub is_default: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OrganisationPage {
    pub name: String,
    pub hash: OrganisationHash,
    pub settings: Settings,
    pub recording: RecordingSettings,
    /// What holds where the organisation has set nothing.
    pub recording_rules: RecordingRules,
    /// Which sites may show the player in a frame.
    pub embed_domains: EmbedDomains,
    /// So long what is deleted can be restored.
    pub bin_days: u64,
    pub regions: Vec<RegionRow>,
    /// Newest first, without the revoked. `None` where the caller may not see them.
    pub keys: Option<Vec<ApiKeyRow>>,
    pub api_url: String,
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
    #[error("Something went wrong on the server. Nothing was changed. The log has the cause under {request_id}.")]
    Internal { request_id: String },
    /// No backend says this: the browser's word for an answer that did not come.
    #[error("The server could not be reached. What it records and stores goes on; please try again.")]
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
            Self::Unreachable => 503,
        }
    }
}

pub type Answer<T> = Result<T, BackendError>;

#[async_trait::async_trait]
pub trait Backend: Send + Sync {
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
    async fn set_tags(&self, stream: StreamId, tags: Tags) -> Answer<()>;
    /// Where it is also pushed to while it is live; an empty text: nowhere.
    async fn set_push_url(&self, stream: StreamId, url: &str) -> Answer<()>;
    /// Cuts the running publish, if there is one, and refuses new ones.
    async fn stop_and_lock(&self, stream: StreamId) -> Answer<()>;
    async fn unlock(&self, stream: StreamId) -> Answer<()>;
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
    /// The key itself, which is never shown again.
    /// Which sites may show the player in a frame.
    async fn save_embed_domains(&self, domains: EmbedDomains) -> Answer<()>;
    async fn create_api_key(&self, label: &str, role: Role) -> Answer<String>;
    async fn revoke_api_key(&self, key: KeyId) -> Answer<()>;

    /// Keeps `text` in the browser session until the next [`take_flash`](Self::take_flash): how the outcome of a form reaches the page after it
    /// where there is no JavaScript, and a new API key never stands in a URL.
    async fn put_flash(&self, text: String) -> Answer<()>;
    async fn take_flash(&self) -> Answer<Option<String>>;
}
