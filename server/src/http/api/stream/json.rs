//! A stream as the API writes it. The mix of `created_at` and `createdAt` is the original's, and its clients read both.

use afterlive_domain::organisation::Settings;
use afterlive_domain::{AssetId, AssetState, Mode, Region, Role, StreamId, StreamState, Tags, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;

use super::example::example;
use crate::config::Config;
use crate::db::asset_list::Playable;
use crate::db::organisations::Organisation;
use crate::db::streams::Stream;
use crate::hub::LiveStats;
use crate::push::PushStatus;
use crate::service::{Caller, Result, Service, Shown, StreamWithOrganisation};
use crate::storage::{Key, KeyKind};

/// The only type of stream there is.
pub const STREAM_TYPE: &str = "low-latency";
/// How many of its newest recordings a stream shows where nobody says.
pub const DEFAULT_RECORDINGS: u32 = 50;
pub const MAX_RECORDINGS: u32 = 1_000;

/// What an encoder publishes to, with its newest recordings.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Stream", example = example())]
pub struct StreamJson {
    id: StreamId,
    /// As `id`: a stream is the only one of its group.
    streamgroup: StreamId,
    state: StreamState,
    /// Always `low-latency`.
    r#type: &'static str,
    created_at: UnixMillis,
    updated_at: UnixMillis,
    /// Always false, whatever protocols the stream can be published by.
    webrtc: bool,
    /// Always false.
    transcoding: bool,
    tags: Tags,
    /// Left out for players: who sees it can publish, but for readers where a publish key is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    ingest: Option<Ingest>,
    playout: Playout,
}

/// Where an encoder publishes to.
#[derive(JsonSchema, Serialize)]
struct Ingest {
    rtmp: RtmpIngest,
    /// The same over TLS, where there is such a thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtmps: Option<RtmpIngest>,
}

#[derive(JsonSchema, Serialize)]
struct RtmpIngest {
    /// What encoders call the server. Ends in `/rec` where the organisation records, else in `/live`.
    url: String,
    /// What encoders call the stream key: `HASH-NAME`, and `?key=…` behind it where a publish key is required and the caller may create streams.
    streamname: String,
}

/// How it is watched.
// A player fails where `h5live` is present and empty, or longer than an `hls` that is not.
#[derive(JsonSchema, Serialize)]
struct Playout {
    /// Live, for bintu's players.
    h5live: [H5live; 1],
    /// Live by HLS.
    hls: [HlsPlayout; 1],
    /// Live by RTMP.
    rtmp: [RtmpPlayout; 1],
    /// The page that plays it live (`type` is `live`), and then its recordings (`vod`), newest first.
    web: Vec<Web>,
    /// The still of what is live, and the picture of the newest recording that has one.
    thumbnails: Vec<Thumbnail>,
}

#[derive(JsonSchema, Serialize)]
struct HlsPlayout {
    /// Of the playlist.
    url: String,
    /// Always `live`.
    r#type: &'static str,
}

/// What bintu's players are given of a stream; there is one form of it, as the encoder sends it.
#[derive(JsonSchema, Serialize)]
struct H5live {
    id: StreamId,
    /// Always `live`.
    r#type: &'static str,
    index: u32,
    /// Always `Passthrough`: as the encoder sent it.
    label: &'static str,
    tags: [&'static str; 1],
    /// What is done with what comes: `rec`, where what is published to the stream's `ingest.rtmp.url` is recorded. Empty for players who do not see recordings.
    processing: Vec<Processing>,
    server: H5liveServer,
    rtmp: RtmpTarget,
    info: Info,
}

#[derive(JsonSchema, Serialize)]
struct Processing {
    /// Always `rec`.
    id: &'static str,
    /// Always null: for as long as it is published.
    duration: Option<u64>,
}

#[derive(JsonSchema, Serialize)]
struct H5liveServer {
    /// URL of fragmented MP4 by WebSocket.
    websocket: String,
    /// URL of the HLS playlist.
    hls: String,
    /// URL of fragmented MP4 by one HTTP answer, which goes on for as long as the publish does.
    progressive: String,
}

#[derive(JsonSchema, Serialize)]
struct RtmpTarget {
    /// The server, up to the application.
    url: String,
    streamname: String,
}

/// What is known of it while it is live; nothing for who may not watch it live.
#[derive(Default, JsonSchema, Serialize)]
struct Info {
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u16>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u16>,
    /// In bits a second, of pictures and sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate: Option<u32>,
    /// Pictures a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    fps: Option<f32>,
}

#[derive(JsonSchema, Serialize)]
struct RtmpPlayout {
    /// The server, up to the application.
    url: String,
    streamname: String,
    /// Always `live`.
    r#type: &'static str,
}

#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum Web {
    Live(LivePage),
    Vod(Box<Vod>),
}

/// A recording that can be played.
// The fields up to `index` are the original's, the others ours.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "StreamRecording")]
struct Vod {
    /// Of the MP4: plays in every player, and is what is copied.
    url: String,
    /// Always `vod`.
    #[schemars(extend("const" = "vod"))]
    r#type: &'static str,
    /// When it began.
    #[serde(rename = "createdAt")]
    created_at: UnixMillis,
    #[serde(rename = "streamId")]
    stream_id: StreamId,
    /// Which of the stream's recordings it is, counted from 1.
    index: u32,
    id: AssetId,
    region: Region,
    state: AssetState,
    /// In milliseconds.
    duration_ms: u64,
    /// In bytes.
    size_bytes: u64,
    /// In pixels; null where it is not known.
    width: Option<u32>,
    /// In pixels; null where it is not known.
    height: Option<u32>,
    /// Null without pictures.
    video_codec: Option<String>,
    /// Null without sound.
    audio_codec: Option<String>,
    /// URL of a JPEG; null before it is made.
    thumbnail: Option<String>,
    /// URL of a WebVTT file of pictures for scrubbing.
    storyboard: Option<String>,
}

/// The page that plays it live.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LivePage")]
struct LivePage {
    url: String,
    /// Always `live`.
    #[schemars(extend("const" = "live"))]
    r#type: &'static str,
    /// When the stream was made.
    created_at: UnixMillis,
    stream_id: StreamId,
    id: StreamId,
    /// Where the live stream is pushed to as well; null: nowhere. Without its key for who may only read, and left out for players.
    // Inner `None`: nothing is pushed anywhere. Outer `None`: nobody's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    push_url: Option<Option<String>>,
    /// How that does, while the stream is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    push_state: Option<PushState>,
    /// Always null.
    opcode: Option<String>,
    /// Always empty.
    processing: [(); 0],
    /// Always empty.
    tags: [(); 0],
}

#[derive(JsonSchema, Serialize)]
#[serde(tag = "state", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum PushState {
    Connecting,
    Pushing {
        since: UnixMillis,
        /// So many were sent since then.
        bytes: u64,
        /// Why it is sent without its sound at the moment.
        #[serde(skip_serializing_if = "Option::is_none")]
        without_sound: Option<String>,
    },
    Failed {
        reason: String,
        next_try_at: UnixMillis,
    },
}

impl From<PushStatus> for PushState {
    fn from(status: PushStatus) -> Self {
        match status {
            PushStatus::Connecting => Self::Connecting,
            PushStatus::Pushing { since, bytes, without_sound } => Self::Pushing { since, bytes, without_sound },
            PushStatus::Failed { reason, next_try_at } => Self::Failed { reason, next_try_at },
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Thumbnail {
    /// Of a JPEG.
    url: String,
    /// Always `image`.
    r#type: &'static str,
    stream_id: StreamId,
    streamname: String,
}

/// What of a stream may be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Readers are told neither publish keys nor keys of other servers.
    Organisation(Role),
    /// Pictures and figures of it are for who may watch it live, and that it is recorded is for who may watch recordings.
    Anybody { sees_live: bool, sees_recordings: bool },
}

impl StreamJson {
    /// As its organisation sees it.
    pub async fn for_caller(service: &Service, caller: &Caller, stream: Stream) -> Result<Self> {
        let organisation = service.organisation(caller).await?;
        let recordings = service.finished_recordings(&[stream.id], DEFAULT_RECORDINGS).await?;
        Ok(Self::shown(service, caller, Shown { streams: stream, organisation, recordings }))
    }

    /// As its organisation sees it.
    pub fn shown(service: &Service, caller: &Caller, shown: Shown<Stream>) -> Self {
        let Shown { streams: stream, organisation, mut recordings } = shown;
        let recordings = recordings.remove(&stream.id).unwrap_or_default();
        Self::new(service, &organisation, stream, recordings, Audience::Organisation(caller.role))
    }

    /// As their organisation sees them, in the given order.
    pub fn list(service: &Service, caller: &Caller, shown: Shown<Vec<Stream>>) -> Vec<Self> {
        Self::each(service, shown, Audience::Organisation(caller.role))
    }

    /// As players see them, in the given order.
    pub async fn public_list(service: &Service, organisation: Organisation, streams: Vec<Stream>) -> Result<Vec<Self>> {
        let Settings { vod_public, live_public, .. } = organisation.settings;
        let ids: Vec<StreamId> = streams.iter().map(|stream| stream.id).collect();
        let recordings = service.finished_recordings(&ids, if vod_public { DEFAULT_RECORDINGS } else { 0 }).await?;
        let shown = Shown { streams, organisation, recordings };
        Ok(Self::each(service, shown, Audience::Anybody { sees_live: live_public, sees_recordings: vod_public }))
    }

    fn each(service: &Service, shown: Shown<Vec<Stream>>, audience: Audience) -> Vec<Self> {
        let Shown { streams, organisation, mut recordings } = shown;
        let json = |stream: Stream| {
            let recordings = recordings.remove(&stream.id).unwrap_or_default();
            Self::new(service, &organisation, stream, recordings, audience)
        };
        streams.into_iter().map(json).collect()
    }

    /// As players see it.
    pub async fn for_viewer(service: &Service, found: StreamWithOrganisation, limit: u32) -> Result<Self> {
        let StreamWithOrganisation { stream, organisation, sees_live, sees_recordings } = found;
        let limit = if sees_recordings { limit } else { 0 };
        let recordings = service.finished_recordings(&[stream.id], limit).await?.remove(&stream.id).unwrap_or_default();
        Ok(Self::new(service, &organisation, stream, recordings, Audience::Anybody { sees_live, sees_recordings }))
    }

    fn new(
        service: &Service,
        organisation: &Organisation,
        stream: Stream,
        recordings: Vec<Playable>,
        audience: Audience,
    ) -> Self {
        let config = service.config();
        let streamname = stream.streamname.to_string();
        let (role, sees_live, sees_recordings) = match audience {
            Audience::Organisation(role) => (Some(role), true, true),
            Audience::Anybody { sees_live, sees_recordings } => (None, sees_live, sees_recordings),
        };
        let is_recorded = sees_recordings && offered_mode(organisation, &stream) == Mode::Rec;
        let live = Web::Live(LivePage {
            url: format!("{}/playout/{}", config.http.public_url, stream.id),
            r#type: "live",
            created_at: stream.created_at,
            stream_id: stream.id,
            id: stream.id,
            push_url: role.map(|role| Service::shown_push_url(role, &stream)),
            push_state: role.and_then(|_| service.push_status(&stream)).map(PushState::from),
            opcode: None,
            processing: [],
            tags: [],
        });
        let recordings: Vec<Vod> = recordings.into_iter().filter_map(|recording| Vod::new(service, recording)).collect();
        let poster = recordings.iter().find_map(|vod| vod.thumbnail.clone());
        let still = service.hub().still(stream.id).filter(|_| sees_live).map(|_| service.live_still_url(&stream.streamname));
        let rtmp_url = format!("{}/play", config.rtmp.public_url);
        let hls_url = service.live_hls_url(&stream.streamname);
        let h5live = H5live {
            id: stream.id,
            r#type: "live",
            index: 0,
            label: "Passthrough",
            tags: ["Passthrough"],
            processing: if is_recorded { vec![Processing { id: "rec", duration: None }] } else { Vec::new() },
            server: H5liveServer {
                websocket: service.live_socket_url(&stream.streamname),
                hls: hls_url.clone(),
                progressive: service.live_progressive_url(&stream.streamname),
            },
            rtmp: RtmpTarget { url: rtmp_url.clone(), streamname: streamname.clone() },
            info: service.hub().stats(stream.id).filter(|_| sees_live).map(Info::from).unwrap_or_default(),
        };
        let thumbnail = |url| Thumbnail { url, r#type: "image", stream_id: stream.id, streamname: streamname.clone() };
        Self {
            id: stream.id,
            streamgroup: stream.id,
            state: stream.state,
            r#type: STREAM_TYPE,
            created_at: stream.created_at,
            updated_at: stream.updated_at,
            webrtc: false,
            transcoding: false,
            ingest: role.map(|role| Ingest::new(config, role, organisation, &stream)),
            playout: Playout {
                thumbnails: still.into_iter().chain(poster).map(thumbnail).collect(),
                h5live: [h5live],
                hls: [HlsPlayout { url: hls_url, r#type: "live" }],
                rtmp: [RtmpPlayout { url: rtmp_url, streamname, r#type: "live" }],
                web: std::iter::once(live).chain(recordings.into_iter().map(|vod| Web::Vod(Box::new(vod)))).collect(),
            },
            tags: stream.tags,
        }
    }
}

/// How encoders are told to publish.
fn offered_mode(organisation: &Organisation, stream: &Stream) -> Mode {
    if organisation.settings.recording_enabled { stream.default_mode } else { Mode::Live }
}

impl From<LiveStats> for Info {
    fn from(stats: LiveStats) -> Self {
        let video = stats.video.as_ref();
        Self {
            width: video.map(|video| video.width),
            height: video.map(|video| video.height),
            bitrate: stats.bitrate_bps,
            fps: video.and_then(|video| video.frames_per_second),
        }
    }
}

impl Ingest {
    /// Ends in `/rec` only where that records. The name is what is copied into an encoder, with the publish key where one is required.
    fn new(config: &Config, role: Role, organisation: &Organisation, stream: &Stream) -> Self {
        let mode = offered_mode(organisation, stream);
        let key = Service::shown_publish_key(role, organisation, stream);
        let streamname = key.map_or_else(|| stream.streamname.to_string(), |key| key.behind(&stream.streamname));
        let to = |server: &String| RtmpIngest { url: format!("{server}/{}", mode.as_str()), streamname: streamname.clone() };
        Self { rtmp: to(&config.rtmp.public_url), rtmps: config.rtmp.tls_public_url.as_ref().map(to) }
    }
}

impl Vod {
    /// `None` where its region is not configured any more, so that it has no URL.
    fn new(service: &Service, recording: Playable) -> Option<Self> {
        let key = Key::from_file_name(&recording.file_name)?;
        let store = service.regions().get(&recording.region)?;
        Some(Self {
            url: store.url(&key),
            r#type: "vod",
            created_at: recording.created_at,
            stream_id: recording.stream,
            index: recording.index,
            id: recording.id,
            region: recording.region,
            state: recording.state,
            duration_ms: recording.duration_ms,
            size_bytes: recording.size_bytes,
            width: recording.width,
            height: recording.height,
            video_codec: recording.video_codec,
            audio_codec: recording.audio_codec,
            thumbnail: recording.has_poster.then(|| store.url(&key.to_thumbnail())),
            storyboard: recording.has_storyboard.then(|| store.url(&key.to(KeyKind::Storyboard))),
        })
    }
}
