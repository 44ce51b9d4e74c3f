//! What the player in other people's pages may show, and to whom. Knows no HTML, and checks no token: what it names is guarded where it is served.

use afterlive_domain::{AssetId, EmbedDomains, Error as Refusal, StreamId, Streamname, Tags};

use super::{Caller, Result, Service};
use crate::db::asset_list;
use crate::db::assets::{self, Asset};
use crate::storage::{Key, KeyKind};

/// One stream's player in a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Embedded {
    pub streamname: Streamname,
    pub tags: Tags,
    pub is_live: bool,
    pub recording: Option<EmbeddedRecording>,
    /// Who may show it.
    pub domains: EmbedDomains,
}

/// A recording and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmbeddedRecording {
    pub id: AssetId,
    pub file_name: String,
    pub url: String,
    pub poster_url: Option<String>,
    pub storyboard_url: Option<String>,
    pub is_growing: bool,
    pub duration_ms: u64,
}

impl Service {
    /// The stream and, of its recordings, `asset` or else the newest: for its organisation, and for everybody where the organisation's recordings are public.
    ///
    /// # Errors
    /// `NoSuchStream`; `NoSuchAsset` where `asset` is none of the stream's that plays; to who may not see it `BadCredentials`, whether there is such a
    /// stream or not.
    pub async fn embedded(&self, caller: Option<&Caller>, id: StreamId, asset: Option<AssetId>) -> Result<Embedded> {
        let hidden = || if caller.is_some() { Refusal::no_such_stream(id) } else { Refusal::BadCredentials };
        let (stream, organisation) = match self.stream_for_anybody(id).await {
            Ok(found) => (found.stream, found.organisation),
            Err(super::Error::Refused(Refusal::NoSuchStream { .. })) => return Err(hidden().into()),
            Err(error) => return Err(error),
        };
        let is_insider = caller.is_some_and(|caller| caller.organisation == stream.organisation);
        if !is_insider && !organisation.settings.vod_public {
            return Err(hidden().into());
        }
        let mut connection = self.db.read().await?;
        let recording = match asset {
            Some(asset) => {
                let found = assets::by_id(&mut connection, asset).await?.filter(|found| found.stream == id);
                let recording = found.and_then(|found| self.embedded_recording(found));
                Some(recording.ok_or_else(|| Refusal::NoSuchAsset { asset })?)
            }
            None => {
                let growing = asset_list::growing(&mut connection, id).await?.and_then(|asset| self.embedded_recording(asset));
                match growing {
                    Some(growing) => Some(growing),
                    None => {
                        let newest = asset_list::newest_finished(&mut connection, id).await?;
                        newest.and_then(|asset| self.embedded_recording(asset))
                    }
                }
            }
        };
        Ok(Embedded {
            is_live: self.hub.stats(id).is_some(),
            streamname: stream.streamname,
            tags: stream.tags,
            recording,
            domains: organisation.embed_domains,
        })
    }

    /// `None` where nothing of it plays, yet or any more.
    fn embedded_recording(&self, asset: Asset) -> Option<EmbeddedRecording> {
        let key = Key::from_file_name(&asset.file_name)?;
        let store = self.regions.get(&asset.region)?;
        let is_growing = asset.state == afterlive_domain::AssetState::Recording;
        // The row knows nothing of a recording's length before it is finished.
        let facts = if is_growing { self.growing.facts(asset.id)? } else { asset.facts };
        let plays = asset.state.is_playable() || is_growing && facts.duration_ms > 0;
        plays.then(|| EmbeddedRecording {
            id: asset.id,
            url: store.url(&key),
            poster_url: asset.has_poster.then(|| store.url(&key.to_thumbnail())),
            storyboard_url: asset.has_storyboard.then(|| store.url(&key.to(KeyKind::Storyboard))),
            is_growing,
            duration_ms: facts.duration_ms,
            file_name: asset.file_name,
        })
    }
}
