//! What the pages of one stream have in common: its URLs, its recordings, and what arrives right now.

use afterlive_domain::{Mode, Role, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{RecordingRow, StreamRow};

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
    /// How loud that is; `None` where it is not known, as at first.
    pub loudness: Option<Loudness>,
    /// Over the last seconds.
    pub bitrate_bps: u64,
    /// How much later than the earliest frame, by their timestamps, the latest came in the last seconds.
    pub jitter_ms: Option<u64>,
    /// What of that has been there all the time for a quarter of a minute.
    pub lasting_jitter_ms: Option<u64>,
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

/// How loud the sound is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Loudness {
    /// Of each channel, over the last seconds.
    pub channels: Vec<Level>,
    /// For how long there has been nothing to be heard.
    pub silent_s: u32,
    /// In how much of the last ten seconds it was clipped.
    pub clipped_percent: u8,
}

/// In decibels of full scale: 0 is the most, and -96 is no sound at all.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Level {
    pub peak_dbfs: f64,
    pub rms_dbfs: f64,
}

/// Whether the stream's name alone lets an encoder in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum KeyInName {
    /// It does.
    NotRequired,
    /// A publish key is required, and stands behind the name wherever that is copied from.
    Shown,
    /// One is required, and not for the caller to see.
    Withheld,
    /// One is required, and the server has lost it: nobody is let in.
    Lost,
}

/// What an encoder needs. Absent for viewers from outside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IngestUrls {
    /// `rtmp://HOST:1935/rec`, what OBS calls "Server".
    pub rec_url: String,
    pub live_url: String,
    /// The same two over TLS, where there is such a thing.
    pub over_tls: Option<RtmpsUrls>,
    pub default_mode: Mode,
    /// What OBS calls "Stream Key".
    pub stream_key: String,
    pub key_in_name: KeyInName,
    /// The same two for encoders that speak WebRTC; the stream is named in them.
    pub whip_rec_url: String,
    pub whip_live_url: String,
}

/// `rtmps://HOST:1937/rec`, and the like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RtmpsUrls {
    pub rec_url: String,
    pub live_url: String,
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
    /// WebRTC.
    pub whep: String,
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
    /// `without_sound`: why its sound is left out at the moment.
    Pushing {
        since: UnixMillis,
        bytes: u64,
        without_sound: Option<String>,
    },
    Failed {
        reason: String,
        next_try_at: UnixMillis,
    },
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
    /// The encoder was cut off, and is waited for so many seconds more.
    pub awaited_s: Option<u64>,
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
