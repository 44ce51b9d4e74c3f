//! What playlists tell of, what of it players may wait for, and the playlist that leads to the others. How a media playlist is written stands in `text`.

use std::fmt::Write as _;
use std::sync::Arc;

/// What is older than so many target durations can be left out of an update: the least that the standard allows.
pub(super) const SKIP_AFTER_TARGETS: u64 = 6;
/// A player may ask for what comes within so much of parts beyond the last.
const ADVANCE_PARTS_MS: u64 = 3_000;
/// And within so many segments.
const ADVANCE_SEGMENTS: u64 = 2;

/// A piece of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    pub duration_ms: u64,
    /// A decoder can begin in it.
    pub independent: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The media sequence number, and its name.
    pub number: u64,
    /// The name of the init segment that comes before it.
    pub init: u64,
    /// It does not go on where the segment before ended.
    pub discontinuity: bool,
    /// In ISO 8601.
    pub begins_at: String,
    /// So far, where it is not complete.
    pub duration_ms: u64,
    pub parts: Vec<Part>,
    /// Only the last one may not be.
    pub complete: bool,
}

impl Segment {
    pub(super) fn is_empty(&self) -> bool {
        !self.complete && self.parts.is_empty()
    }
}

/// What of a stream can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaPlaylist<'a> {
    /// Their numbers increase by one.
    pub segments: &'a [Arc<Segment>],
    /// How many discontinuities there were in segments before the first.
    pub discontinuities_before: u64,
    /// No segment is longer, rounded.
    pub target_s: u64,
    /// No part is longer.
    pub part_target_ms: u64,
    /// More is to come at once.
    pub live: bool,
    /// Nothing more will ever come.
    pub ended: bool,
}

/// Whether a playlist has what a player waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    Ready,
    Wait,
    /// Nobody has been told of anything so far ahead.
    TooFar,
}

impl MediaPlaylist<'_> {
    /// Whether the segment, or the part of it, is there: `_HLS_msn` and `_HLS_part`, §6.2.5.2.
    #[must_use]
    pub fn reload(&self, number: u64, part: Option<u64>) -> Reload {
        if self.ended {
            return Reload::Ready;
        }
        let complete = self.segments.iter().rev().find(|segment| segment.complete).map(|segment| segment.number);
        let open = self.segments.last().filter(|segment| !segment.complete);
        let next = complete.map(|last| last + 1).or(open.map(|open| open.number)).unwrap_or(0);
        if number > next + ADVANCE_SEGMENTS - 1 {
            return Reload::TooFar;
        }
        let Some(part) = part else { return if number < next { Reload::Ready } else { Reload::Wait } };
        if part > self.advance_parts() + self.parts_of(number) {
            return Reload::TooFar;
        }
        // A part behind the end of a segment is the first of the next one.
        let (number, part) = if number < next && part >= self.parts_of(number) { (number + 1, 0) } else { (number, part) };
        if number < next || part < self.parts_of(number) { Reload::Ready } else { Reload::Wait }
    }

    fn parts_of(&self, number: u64) -> u64 {
        self.segments.iter().rev().find(|segment| segment.number == number).map_or(0, |segment| segment.parts.len() as u64)
    }

    fn advance_parts(&self) -> u64 {
        ADVANCE_PARTS_MS.div_ceil(self.part_target_ms.max(1)).max(3)
    }

    /// How many of the first segments an update can leave out.
    pub(super) fn skippable(&self) -> usize {
        let end_ms: u64 = self.segments.iter().map(|segment| segment.duration_ms).sum();
        let boundary_ms = end_ms.saturating_sub(SKIP_AFTER_TARGETS * self.target_s * 1_000);
        let mut so_far_ms = 0;
        let old = self.segments.iter().take_while(|segment| {
            so_far_ms += segment.duration_ms;
            segment.complete && so_far_ms <= boundary_ms
        });
        old.count()
    }
}

/// The one form in which the stream can be had.
#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    /// As [`codec_string`](crate::codec::codec_string) gives them.
    pub codecs: Vec<String>,
    pub picture: Option<(u16, u16)>,
    pub frames_per_second: Option<f32>,
    pub bandwidth_bps: u32,
}

/// The playlist that leads to `media.m3u8`. `query` as with [`media_playlist`](super::media_playlist).
#[must_use]
pub fn multivariant_playlist(variant: &Variant, query: &str) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-STREAM-INF:BANDWIDTH={}", variant.bandwidth_bps);
    let _ = write!(text, ",CODECS=\"{}\"", variant.codecs.join(","));
    if let Some((width, height)) = variant.picture {
        let _ = write!(text, ",RESOLUTION={width}x{height}");
    }
    if let Some(rate) = variant.frames_per_second {
        let _ = write!(text, ",FRAME-RATE={rate:.3}");
    }
    let _ = writeln!(text, "\nmedia.m3u8{query}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, duration_ms: u64, complete: bool) -> Arc<Segment> {
        let part = |at| Part { duration_ms: 200, independent: at == 0 };
        Arc::new(Segment {
            number,
            init: if number < 12 { 10 } else { 12 },
            discontinuity: number == 12,
            begins_at: format!("2026-11-04T17:09:{number}.000Z"),
            duration_ms,
            parts: (0..duration_ms / 200).map(part).collect(),
            complete,
        })
    }

    fn media_playlist(playlist: &MediaPlaylist<'_>, skip: bool, query: &str) -> String {
        super::super::media_playlist(playlist, skip, query).collect()
    }

    fn playlist(segments: &[Arc<Segment>]) -> MediaPlaylist<'_> {
        MediaPlaylist { segments, discontinuities_before: 3, target_s: 1, part_target_ms: 200, live: true, ended: false }
    }

    #[test]
    fn a_media_playlist() {
        let segments: Vec<_> = (8..12).map(|number| segment(number, 1_000, true)).chain([segment(12, 400, false)]).collect();
        let text = media_playlist(&playlist(&segments), false, "?token=t");
        let expected = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:1
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.000,HOLD-BACK=3.000,CAN-SKIP-UNTIL=6.000
#EXT-X-PART-INF:PART-TARGET=0.200
#EXT-X-MEDIA-SEQUENCE:8
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI=\"init-10.mp4?token=t\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-04T17:09:8.000Z
#EXTINF:1.000,
seg-8.m4s?token=t
#EXT-X-PROGRAM-DATE-TIME:2026-11-04T17:09:9.000Z
#EXT-X-PART:DURATION=0.200,URI=\"part-9-0.m4s?token=t\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.200,URI=\"part-9-1.m4s?token=t\"
";
        assert!(text.starts_with(expected), "{text}");
        let expected = "#EXTINF:1.000,
seg-11.m4s?token=t
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-12.mp4?token=t\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-04T17:09:12.000Z
#EXT-X-PART:DURATION=0.200,URI=\"part-12-0.m4s?token=t\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.200,URI=\"part-12-1.m4s?token=t\"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-12-2.m4s?token=t\"
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn an_ended_one_hints_at_nothing() {
        let segments = [segment(8, 1_000, true)];
        let text = media_playlist(&MediaPlaylist { live: false, ended: true, ..playlist(&segments) }, false, "");
        assert!(text.ends_with("#EXTINF:1.000,\nseg-8.m4s\n#EXT-X-ENDLIST\n"), "{text}");
        assert!(!text.contains("PART:") && !text.contains("HINT"), "{text}");
        let pause = media_playlist(&MediaPlaylist { live: false, ..playlist(&segments) }, false, "");
        assert!(pause.ends_with("seg-8.m4s\n# To be continued\n") && pause.contains("PART:"), "{pause}");
    }

    #[test]
    fn a_segment_that_has_only_begun_is_not_told() {
        let segments = [segment(11, 1_000, true), segment(12, 0, false)];
        let text = media_playlist(&playlist(&segments), false, "");
        assert!(text.ends_with("seg-11.m4s\n# To be continued\n"), "with other tracks nothing is hinted at: {text}");
        let segments = [segment(12, 1_000, true), segment(13, 0, false)];
        let text = media_playlist(&playlist(&segments), false, "");
        assert!(text.ends_with("seg-12.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-13-0.m4s\"\n"), "{text}");
    }

    #[test]
    fn an_update_leaves_out_what_is_old_and_says_the_same_of_the_rest() {
        let segments: Vec<_> = (0..30).map(|number| segment(number, 1_000, true)).collect();
        for to in 1..=30 {
            let playlist = playlist(&segments[..to]);
            let (full, update) = (media_playlist(&playlist, false, ""), media_playlist(&playlist, true, ""));
            if to <= 6 {
                assert_eq!(full, update);
                continue;
            }
            let skipped = to - 6;
            let (head, rest) = update.split_once(&format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n")).unwrap();
            // From behind the last segment that is left out.
            let (_, expected) = full.split_once(&format!("seg-{}.m4s\n", skipped - 1)).unwrap();
            assert_eq!(rest, expected);
            assert!(full.starts_with(head));
        }
    }

    #[test]
    fn a_long_playlist_comes_in_pieces_none_of_which_is_long() {
        let segments: Vec<_> = (0..3_600).map(|number| segment(number, 1_000, true)).collect();
        let query = format!("?token={}", "t".repeat(4_096));
        let pieces: Vec<_> = super::super::media_playlist(&playlist(&segments), false, &query).collect();
        let longest = pieces.iter().map(String::len).max().unwrap();
        assert!(pieces.len() > 900 && longest < 64 << 10, "{} {longest}", pieces.len());
        assert_eq!(pieces.concat().replace(&query, ""), media_playlist(&playlist(&segments), false, ""));
        assert_eq!(super::super::media_playlist(&playlist(&segments[..9]), false, "").count(), 1);
    }

    #[test]
    fn a_player_waits_for_the_part_that_comes_next_and_not_for_what_is_far() {
        let segments = [segment(10, 1_000, true), segment(11, 400, false)];
        let playlist = playlist(&segments);
        let cases = [
            (3, None, Reload::Ready),
            (10, None, Reload::Ready),
            (10, Some(4), Reload::Ready),
            (10, Some(5), Reload::Ready),
            (11, None, Reload::Wait),
            (11, Some(1), Reload::Ready),
            (11, Some(2), Reload::Wait),
            (12, Some(0), Reload::Wait),
            (12, None, Reload::Wait),
            (13, None, Reload::TooFar),
            (11, Some(40), Reload::TooFar),
        ];
        for (number, part, expected) in cases {
            assert_eq!(playlist.reload(number, part), expected, "{number} {part:?}");
        }
        let complete = [segment(10, 1_000, true)];
        assert_eq!(self::playlist(&complete).reload(10, Some(5)), Reload::Wait, "the first of the next");
        assert_eq!(MediaPlaylist { ended: true, ..self::playlist(&complete) }.reload(99, None), Reload::Ready);
    }

    #[test]
    fn a_multivariant_playlist() {
        let variant = Variant {
            codecs: vec!["avc1.64001f".to_owned(), "mp4a.40.2".to_owned()],
            picture: Some((1280, 720)),
            frames_per_second: Some(29.97),
            bandwidth_bps: 2_500_000,
        };
        let expected = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-STREAM-INF:BANDWIDTH=2500000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.970
media.m3u8?token=t
";
        assert_eq!(multivariant_playlist(&variant, "?token=t"), expected);
    }
}
