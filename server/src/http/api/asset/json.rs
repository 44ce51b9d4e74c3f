//! A recording as the API writes it outside its stream. All names are ours.

use afterlive_domain::asset::Hold;
use afterlive_domain::{AssetId, AssetState, Region, StreamId, Tags, UnixMillis};
use serde::Serialize;

use crate::db::asset_search::Listed;
use crate::service::Service;
use crate::storage::Key;

#[derive(Serialize)]
pub struct AssetJson {
    id: AssetId,
    stream: StreamId,
    streamname: Option<String>,
    /// Of its stream.
    tags: Tags,
    index: u32,
    file_name: String,
    region: Region,
    state: AssetState,
    reason: Option<String>,
    /// Null while there is nothing at it: it failed, is in the bin, or its region is not configured any more.
    url: Option<String>,
    thumbnail: Option<String>,
    created_at: UnixMillis,
    ended_at: Option<UnixMillis>,
    updated_at: UnixMillis,
    duration_ms: u64,
    size_bytes: u64,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<f64>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    hold: Option<Hold>,
    deleted_at: Option<UnixMillis>,
    restorable_until: Option<UnixMillis>,
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
        let facts = service.growing().facts(asset.id).unwrap_or(asset.facts);
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
