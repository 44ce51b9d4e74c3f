//! What the player in other people's pages may show, and to whom. Knows no HTML.

use afterlive_domain::{AssetId, EmbedDomains, Error as Refusal, StreamId, Streamname, Tags};

use super::playback::Viewer;
use super::playback::token::{Site, with_token};
use super::seen::StreamAsSeen;
use super::{Result, Service};
use crate::db::asset_list;
use crate::db::assets::{self, Asset};
use crate::storage::{Key, KeyKind};

/// One stream's player in a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Embedded {
    pub streamname: Streamname,
    pub tags: Tags,
    pub is_live: bool,
    /// Its encoder was cut off, and is waited for.
    pub is_awaited: bool,
    pub recording: Option<EmbeddedRecording>,
    /// Who may show it.
    pub domains: EmbedDomains,
    /// Of those only these, where there are any: what lets the viewer watch is a token that is bound to them.
    pub sites: Vec<Site>,
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
    /// The stream and, of its recordings, `asset` or else the newest: as much of both as the viewer may watch.
    ///
    /// # Errors
    /// `NoSuchStream`; `NoSuchAsset` where `asset` is none of the stream's that plays; to who may watch neither `PlaybackDenied`, where a token was given, or
    /// else `BadCredentials`, whether there is such a stream or not.
    pub async fn embedded(&self, viewer: &Viewer, id: StreamId, asset: Option<AssetId>) -> Result<Embedded> {
        let hidden = || if viewer.caller.is_some() { Refusal::no_such_stream(id) } else { Refusal::BadCredentials };
        let found = self.stream_as_seen(id, viewer).await?.ok_or_else(hidden)?;
        let StreamAsSeen { stream, organisation, no_live, no_recordings } = found;
        let (sees_live, sees_recordings) = (no_live.is_none(), no_recordings.is_none());
        if let (Some(refusal), Some(_)) = (no_live, no_recordings) {
            return Err(if viewer.token.is_some() { refusal } else { hidden() }.into());
        }
        if asset.is_some() && !sees_recordings {
            return Err(hidden().into());
        }
        let pass = match &viewer.caller {
            Some(caller) => self.pass(caller, &organisation).await?.map(|pass| pass.token(id, &stream.streamname)),
            None => None,
        };
        let sites = self.sites_of_token(&stream.streamname, viewer).await?;
        let mut connection = self.db.read().await?;
        let recording = match asset {
            _ if !sees_recordings => None,
            Some(asset) => {
                let found = assets::by_id(&mut connection, asset).await?.filter(|found| found.stream == id);
                let recording = found.and_then(|found| self.embedded_recording(found, pass.as_deref()));
                Some(recording.ok_or(Refusal::NoSuchAsset { asset })?)
            }
            None => {
                let growing = asset_list::growing(&mut connection, id)
                    .await?
                    .and_then(|asset| self.embedded_recording(asset, pass.as_deref()));
                match growing {
                    Some(growing) => Some(growing),
                    None => {
                        let newest = asset_list::newest_finished(&mut connection, id).await?;
                        newest.and_then(|asset| self.embedded_recording(asset, pass.as_deref()))
                    }
                }
            }
        };
        Ok(Embedded {
            is_live: sees_live && self.hub.is_live(id),
            is_awaited: sees_live && self.hub.awaited(id).is_some(),
            streamname: stream.streamname,
            tags: stream.tags,
            recording,
            domains: organisation.embed_domains,
            sites,
        })
    }

    /// `None` where nothing of it plays, yet or any more. `pass` goes into the URLs, which may lie on a host that is sent no cookie of ours.
    fn embedded_recording(&self, asset: Asset, pass: Option<&str>) -> Option<EmbeddedRecording> {
        let key = Key::from_file_name(&asset.file_name)?;
        let store = self.regions.get(&asset.region)?;
        let is_growing = asset.state == afterlive_domain::AssetState::Recording;
        // The row knows nothing of a recording's length before it is finished.
        let facts = if is_growing { self.growing.facts(asset.id)? } else { asset.facts };
        let plays = asset.state.is_playable() || is_growing && facts.duration_ms > 0;
        let url = |key: &Key| {
            let url = store.url(key);
            pass.map_or(url.clone(), |pass| with_token(&url, pass))
        };
        plays.then(|| EmbeddedRecording {
            id: asset.id,
            url: url(&key),
            poster_url: asset.has_poster.then(|| url(&key.to_thumbnail())),
            storyboard_url: asset.has_storyboard.then(|| url(&key.to(KeyKind::Storyboard))),
            is_growing,
            duration_ms: facts.duration_ms,
            file_name: asset.file_name,
        })
    }
}
