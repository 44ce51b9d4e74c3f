//! A recording as the API writes it outside its stream. All names are ours.

use afterlive_domain::asset::Hold;
use afterlive_domain::{AssetId, AssetState, Region, StreamId, Tags, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::asset_search::Listed;
use crate::http::api::doc::{EXAMPLE_ASSET, EXAMPLE_STREAM};
use crate::service::Service;
use crate::storage::Key;

/// A recording.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Recording", example = example())]
pub struct AssetJson {
    id: AssetId,
    stream: StreamId,
    streamname: Option<String>,
    /// Of its stream.
    tags: Tags,
    /// Which of the stream's recordings it is, counted from 1.
    index: u32,
    /// As it is downloaded; never given again.
    file_name: String,
    region: Region,
    state: AssetState,
    /// Why it is incomplete or failed; null where neither.
    reason: Option<String>,
    /// Of the MP4: plays in every player. Null while there is nothing at it: it failed, is in the bin, or its region is not configured any more.
    url: Option<String>,
    /// URL of a JPEG; null before it is made.
    thumbnail: Option<String>,
    /// When it began.
    created_at: UnixMillis,
    /// Null while it is being recorded.
    ended_at: Option<UnixMillis>,
    updated_at: UnixMillis,
    /// In milliseconds; so far, while it is being recorded.
    duration_ms: u64,
    /// In bytes; so far, while it is being recorded.
    size_bytes: u64,
    /// In pixels; null where it is not known.
    width: Option<u32>,
    /// In pixels; null where it is not known.
    height: Option<u32>,
    /// Pictures a second; null where it is not known.
    fps: Option<f64>,
    /// Null without pictures.
    video_codec: Option<String>,
    /// Null without sound.
    audio_codec: Option<String>,
    /// Null where it is under none.
    hold: Option<Hold>,
    /// When it went to the bin; null where it is not in it.
    deleted_at: Option<UnixMillis>,
    /// Then it is removed from the bin for good; null where it is not in it, or under legal hold.
    restorable_until: Option<UnixMillis>,
    /// When it was removed for good.
    purged_at: Option<UnixMillis>,
}

impl AssetJson {
    pub fn new(service: &Service, listed: Listed) -> Self {
        let Listed { asset, tags } = listed;
        let key = Key::from_file_name(&asset.file_name);
        let in_sight = !matches!(asset.state, AssetState::Failed | AssetState::Deleted);
        let url = |key: &Key| service.regions().url(&asset.region, key).filter(|_| in_sight);
        let (place, thumbnail) = (key.as_ref().and_then(url), key.as_ref().and_then(|key| url(&key.to_thumbnail())));
        let restorable_until = service.restorable_until(&asset);
        // The row knows nothing of a recording's length before it is finished.
        let facts = service.growing().facts_of(&asset);
        Self {
            id: asset.id,
            stream: asset.stream,
            streamname: key.map(|key| key.streamname().to_string()),
            tags,
            index: asset.index,
            file_name: asset.file_name,
            region: asset.region,
            state: asset.state,
            reason: asset.reason,
            url: place,
            thumbnail: thumbnail.filter(|_| asset.has_poster),
            created_at: asset.created_at,
            ended_at: asset.ended_at,
            updated_at: asset.updated_at,
            duration_ms: facts.duration_ms,
            size_bytes: facts.size_bytes,
            width: facts.width,
            height: facts.height,
            fps: facts.fps,
            video_codec: facts.video_codec,
            audio_codec: facts.audio_codec,
            hold: asset.hold,
            deleted_at: asset.deleted_at,
            restorable_until,
            purged_at: asset.purged_at,
        }
    }
}

/// The example in the document.
fn example() -> Value {
    json!({
        "id": EXAMPLE_ASSET,
        "stream": EXAMPLE_STREAM,
        "streamname": "8sKpm-x49nB",
        "tags": ["title:Sunday service"],
        "index": 1,
        "file_name": "8sKpm-x49nB.mp4",
        "region": "eu",
        "state": "ready",
        "reason": null,
        "url": "http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB.mp4",
        "thumbnail": "http://localhost:3000/vod-eu/8sKpm/thumbnails/8sKpm-x49nB.jpg",
        "created_at": "2026-11-04T17:10:49.413Z",
        "ended_at": "2026-11-04T17:12:12.863Z",
        "updated_at": "2026-11-04T17:12:13.002Z",
        "duration_ms": 83_450,
        "size_bytes": 26_411_008,
        "width": 1280,
        "height": 720,
        "fps": 30.0,
        "video_codec": "h264",
        "audio_codec": "aac",
        "hold": null,
        "deleted_at": null,
        "restorable_until": null,
        "purged_at": null,
    })
}
