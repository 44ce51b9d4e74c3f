//! A media playlist's text, written piece by piece. What it tells stands in `playlist`.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::vec;

use super::playlist::{MediaPlaylist, SKIP_AFTER_TARGETS, Segment};

/// The last so many target durations of a playlist show their parts.
const PARTS_FOR_TARGETS: u64 = 3;
/// Who begins to play stays behind the end of the playlist by so many target durations, or, reading parts, by so many parts.
const HOLD_BACK_TARGETS: u64 = 3;
const HOLD_BACK_PARTS: u64 = 3;
/// But by no less: the network is given as much.
const MIN_PART_HOLD_BACK_MS: u64 = 1_000;
/// The text comes in pieces of so much, and what the last segment in each has.
const PIECE_BYTES: usize = 16 << 10;

/// The text of a media playlist, piece by piece: what it needs is shared with the playlist, and not more is written at a time than is sent. A long
/// playlist of URIs with a long token would be many megabytes.
#[derive(Clone, Debug)]
pub struct MediaPlaylistText {
    /// What is written already of the next piece.
    begun: String,
    /// Those that are not written yet.
    segments: vec::IntoIter<Arc<Segment>>,
    query: String,
    target_s: u64,
    /// Of the segment before.
    init: Option<u64>,
    /// The duration of all that are not written yet.
    left_ms: u64,
    /// `None` when all is written.
    end: Option<End>,
}

/// What stands behind the last segment.
#[derive(Clone, Copy, Debug)]
enum End {
    Ended,
    Hint { number: u64, part: usize },
    Pause,
}

/// The playlist; with `skip` as an update to who has an earlier one, where there is enough to leave out. `query` (nothing, or `?` and what follows)
/// is appended to each URI.
#[must_use]
pub fn media_playlist(playlist: &MediaPlaylist<'_>, skip: bool, query: &str) -> MediaPlaylistText {
    let MediaPlaylist { segments, target_s, part_target_ms, .. } = *playlist;
    let part_hold_back_ms = (HOLD_BACK_PARTS * part_target_ms).max(MIN_PART_HOLD_BACK_MS);
    let mut text = String::new();
    let t = &mut text;
    line(t, format_args!("#EXTM3U"));
    line(t, format_args!("#EXT-X-VERSION:9"));
    line(t, format_args!("#EXT-X-TARGETDURATION:{target_s}"));
    line(
        t,
        format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={},HOLD-BACK={},CAN-SKIP-UNTIL={}",
            Seconds(part_hold_back_ms),
            Seconds(HOLD_BACK_TARGETS * target_s * 1_000),
            Seconds(SKIP_AFTER_TARGETS * target_s * 1_000)
        ),
    );
    line(t, format_args!("#EXT-X-PART-INF:PART-TARGET={}", Seconds(part_target_ms)));
    line(t, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", segments.first().map_or(0, |first| first.number)));
    line(t, format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{}", playlist.discontinuities_before));
    let skipped = if skip { playlist.skippable() } else { 0 };
    if skipped > 0 {
        line(t, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
    }
    let left = segments[skipped..].to_vec();
    MediaPlaylistText {
        begun: text,
        query: query.to_owned(),
        target_s,
        init: skipped.checked_sub(1).and_then(|last| segments.get(last)).map(|segment| segment.init),
        left_ms: left.iter().map(|segment| segment.duration_ms).sum(),
        segments: left.into_iter(),
        end: Some(End::of(playlist)),
    }
}

impl End {
    fn of(playlist: &MediaPlaylist<'_>) -> Self {
        if playlist.ended {
            return Self::Ended;
        }
        // Nothing is hinted at that needs an init segment which has not been told.
        match playlist.segments.last().filter(|last| playlist.live && !(last.is_empty() && last.discontinuity)) {
            Some(last) if last.complete => Self::Hint { number: last.number + 1, part: 0 },
            Some(last) => Self::Hint { number: last.number, part: last.parts.len() },
            None => Self::Pause,
        }
    }
}

impl MediaPlaylistText {
    fn segment(&mut self, segment: &Segment, t: &mut String) {
        self.left_ms -= segment.duration_ms;
        // What has begun and has nothing to show: hls.js would take its discontinuity for that of the segment before.
        if segment.is_empty() {
            return;
        }
        let query = &self.query;
        if segment.discontinuity {
            line(t, format_args!("#EXT-X-DISCONTINUITY"));
        }
        if self.init.replace(segment.init) != Some(segment.init) {
            line(t, format_args!("#EXT-X-MAP:URI=\"init-{}.mp4{query}\"", segment.init));
        }
        line(t, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", segment.begins_at));
        if !matches!(self.end, Some(End::Ended)) && self.left_ms <= PARTS_FOR_TARGETS * self.target_s * 1_000 {
            for (number, part) in segment.parts.iter().enumerate() {
                let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
                let (duration, segment) = (Seconds(part.duration_ms), segment.number);
                line(t, format_args!("#EXT-X-PART:DURATION={duration},URI=\"part-{segment}-{number}.m4s{query}\"{independent}"));
            }
        }
        if segment.complete {
            line(t, format_args!("#EXTINF:{},", Seconds(segment.duration_ms)));
            line(t, format_args!("seg-{}.m4s{query}", segment.number));
        }
    }

    fn end(&self, end: End, t: &mut String) {
        match end {
            End::Ended => line(t, format_args!("#EXT-X-ENDLIST")),
            End::Hint { number, part } => {
                line(t, format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-{number}-{part}.m4s{}\"", self.query));
            }
            // hls.js takes the segment before the playlist's end for one that is still being made, and gives up when what comes next is none of its
            // parts: a discontinuity, behind which the encoder is back.
            End::Pause => line(t, format_args!("# To be continued")),
        }
    }
}

impl Iterator for MediaPlaylistText {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let end = self.end?;
        let mut text = std::mem::take(&mut self.begun);
        while text.len() < PIECE_BYTES {
            let Some(segment) = self.segments.next() else {
                self.end(end, &mut text);
                self.end = None;
                break;
            };
            self.segment(&segment, &mut text);
        }
        Some(text)
    }
}

/// Milliseconds, written as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Writing to a string does not fail.
fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(words);
    text.push('\n');
}
