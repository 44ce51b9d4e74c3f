//! What HLS players ask for, and how long they wait for it. What the texts say stands in `media`.

use std::time::Duration;

use afterlive_domain::StreamId;
use afterlive_media::hls::{self, MediaPlaylist, MediaPlaylistText, Variant, media_playlist, multivariant_playlist};
use bytes::Bytes;

use super::feed::{Feed, Shared};
use super::segments::{Found, MAX_TARGET_S};
use super::viewers::{Full, Session};
use super::{Feeds, Use};
use crate::hub::{Hub, LiveStats};

/// A publish that has just begun is waited for so long: until there is a segment that players can begin with.
const FIRST_WAIT: Duration = Duration::from_secs(6);
/// So many target durations a player is let wait for what it names: §6.2.5.2 of RFC 8216bis.
const MAX_WAIT_TARGETS: u64 = 3;
/// What is told as the bandwidth where nothing has been measured yet.
const UNKNOWN_BANDWIDTH_BPS: u32 = 4_000_000;

/// A file below `/live/{streamname}/`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum File {
    Multivariant,
    Media,
    Init(u64),
    Segment(u64),
    Part(u64, usize),
}

impl File {
    /// `None` where there can be no such file.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match name {
            "index.m3u8" => return Some(Self::Multivariant),
            "media.m3u8" => return Some(Self::Media),
            _ => {}
        }
        if let Some(init) = name.strip_prefix("init-").and_then(|name| name.strip_suffix(".mp4")) {
            return number(init).map(Self::Init);
        }
        let name = name.strip_suffix(".m4s")?;
        if let Some(segment) = name.strip_prefix("seg-") {
            return number(segment).map(Self::Segment);
        }
        let (segment, part) = name.strip_prefix("part-")?.split_once('-')?;
        Some(Self::Part(number(segment)?, usize::try_from(number(part)?).ok()?))
    }
}

/// What of the media playlist is waited for, and how it is told.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reload {
    pub number: Option<u64>,
    pub part: Option<u64>,
    pub skip: bool,
}

#[derive(Clone, Debug)]
pub enum Answer {
    Multivariant(String),
    /// To be written while it is sent.
    Playlist(MediaPlaylistText),
    /// The same for ever.
    Media(Vec<Bytes>),
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    #[error("the stream is not live")]
    NotLive,
    #[error("it is not there, or no more")]
    Gone,
    #[error("it did not come in time")]
    Late,
    #[error("that is too far ahead")]
    TooFar,
    #[error(transparent)]
    Full(#[from] Full),
}

impl Feeds {
    /// Answers an HLS player. `query` is what each URI of a playlist has behind it.
    ///
    /// # Errors
    /// Where there is nothing to answer with.
    pub async fn hls(
        &self,
        stream: StreamId,
        session: Session,
        file: File,
        reload: Reload,
        query: &str,
    ) -> Result<Answer, Unavailable> {
        let feed: Use = self.open(stream);
        let is_live = || self.0.hub.is_live(stream);
        if !feed.read().has_something() && !is_live() {
            return Err(Unavailable::NotLive);
        }
        feed.hear_session(session);
        let answer = self.answer(&feed, file, reload, query).await?;
        // Only who gets something watches.
        feed.note_session(session, &self.0.places)?;
        Ok(answer)
    }

    async fn answer(&self, feed: &Feed, file: File, reload: Reload, query: &str) -> Result<Answer, Unavailable> {
        match file {
            File::Multivariant => {
                feed.wait_for_beginning(&self.0.hub).await?;
                let stats = self.0.hub.stats(feed.stream());
                feed.multivariant(stats.as_ref(), query).map(Answer::Multivariant)
            }
            File::Media => feed.media(&self.0.hub, reload, query).await.map(Answer::Playlist),
            File::Init(number) => {
                let init = feed.read().init_segment(number).map(|init| init.bytes.clone());
                init.map(|bytes| Answer::Media(vec![bytes])).ok_or(Unavailable::Gone)
            }
            File::Segment(number) => {
                let shared = feed.read();
                let segment = shared.segments.segment(number).and_then(|range| shared.ring.get(range));
                segment.map(Answer::Media).ok_or(Unavailable::Gone)
            }
            File::Part(number, part) => feed.part(number, part).await.map(Answer::Media),
        }
    }
}

impl Shared {
    fn playlist(&self) -> MediaPlaylist<'_> {
        self.segments.playlist(self.live, self.ended)
    }
}

impl Feed {
    /// Waits for the first complete segment, without which players of plain HLS would give up; at the end of the wait parts will do. Where the stream is
    /// live again, one of the publish before will not: who is told of its end does not ask again.
    async fn wait_for_beginning(&self, hub: &Hub) -> Result<(), Unavailable> {
        let is_over = |shared: &Shared| shared.ended && hub.is_live(self.stream());
        let begun = |shared: &Shared| (shared.segments.has_complete() && !is_over(shared)).then_some(());
        match self.wait_for(FIRST_WAIT, begun).await {
            Some(()) => Ok(()),
            None if is_over(&self.read()) => Err(Unavailable::Late),
            None if self.read().segments.has_part() => Ok(()),
            None if self.is_live() => Err(Unavailable::Late),
            None => Err(Unavailable::NotLive),
        }
    }

    fn multivariant(&self, stats: Option<&LiveStats>, query: &str) -> Result<String, Unavailable> {
        let init = self.read().init.clone().ok_or(Unavailable::NotLive)?;
        let measured = stats.and_then(|stats| stats.bitrate_history_bps.iter().max().copied()).filter(|bps| *bps > 0);
        let variant = Variant {
            codecs: init.codecs.clone(),
            picture: init.picture,
            frames_per_second: stats.and_then(|stats| stats.video.as_ref()).and_then(|video| video.frames_per_second),
            // A tenth for the boxes around the frames.
            bandwidth_bps: measured.map_or(UNKNOWN_BANDWIDTH_BPS, |bps| bps.saturating_add(bps / 10)),
        };
        Ok(multivariant_playlist(&variant, query))
    }

    async fn media(&self, hub: &Hub, reload: Reload, query: &str) -> Result<MediaPlaylistText, Unavailable> {
        self.wait_for_beginning(hub).await?;
        let look = |shared: &Shared| {
            let playlist = shared.playlist();
            let state = match reload.number {
                None if reload.part.is_some() => hls::Reload::TooFar,
                None => hls::Reload::Ready,
                Some(number) => playlist.reload(number, reload.part),
            };
            match state {
                hls::Reload::Ready => Some(Ok(media_playlist(&playlist, reload.skip, query))),
                hls::Reload::TooFar => Some(Err(Unavailable::TooFar)),
                hls::Reload::Wait => None,
            }
        };
        self.wait_for(self.patience(), look).await.unwrap_or(Err(Unavailable::Late))
    }

    /// A part that a playlist has hinted at is waited for.
    async fn part(&self, number: u64, part: usize) -> Result<Vec<Bytes>, Unavailable> {
        let look = |shared: &Shared| match shared.segments.part(number, part) {
            Found::There(range) => Some(shared.ring.get(range).ok_or(Unavailable::Gone)),
            Found::Nowhere => Some(Err(Unavailable::Gone)),
            Found::Coming if shared.ended => Some(Err(Unavailable::Gone)),
            Found::Coming => None,
        };
        self.wait_for(self.patience(), look).await.unwrap_or(Err(Unavailable::Late))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(MAX_WAIT_TARGETS * self.read().segments.target_s().min(MAX_TARGET_S))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        for (name, file) in [
            ("index.m3u8", Some(File::Multivariant)),
            ("media.m3u8", Some(File::Media)),
            ("init-17.mp4", Some(File::Init(17))),
            ("seg-17.m4s", Some(File::Segment(17))),
            ("part-17-3.m4s", Some(File::Part(17, 3))),
            ("part-17.m4s", None),
            ("seg-+17.m4s", None),
            ("seg-.m4s", None),
            ("seg-99999999999999999999.m4s", None),
            ("seg-17.mp4", None),
            ("", None),
        ] {
            assert_eq!(File::parse(name), file, "{name}");
        }
    }
}
