//! A feed's fragments as HLS sees them: which of them make which part and segment, and which of these the playlist still shows.
//! Holds numbers of fragments, not their bytes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use afterlive_domain::UnixMillis;
use afterlive_media::hls::{Cut, Cutter, MAX_SEGMENT_MS, MediaPlaylist, PART_MS, Part, Segment};
use afterlive_media::mp4::LiveFragment;

/// A playlist shows so many complete segments at least, where there are so many.
const MIN_SEGMENTS: usize = 6;
/// While no HLS player is there.
const MIN_SEGMENTS_UNWATCHED: usize = 3;
/// So many segments are kept after the playlist has shown them last, for players who are about to ask for them.
const KEPT_AFTER: usize = 6;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub ms: u64,
    /// Whether players are there.
    pub watched: bool,
}

/// Where a segment's bytes are.
#[derive(Debug)]
struct Place {
    number: u64,
    first: u64,
    /// One behind the last; known when it is complete.
    end: Option<u64>,
    /// The first fragment of each part; the last part is being made.
    parts: Vec<u64>,
}

/// The part that is being made.
#[derive(Clone, Copy, Debug)]
struct OpenPart {
    begins_ms: i64,
    independent: bool,
}

pub struct Segments {
    cutter: Cutter,
    max_segment_bytes: usize,
    /// What the playlist shows, shared with texts that are on their way.
    told: VecDeque<Arc<Segment>>,
    /// Of all that are kept, the shown ones last.
    places: VecDeque<Place>,
    open: Option<OpenPart>,
    /// When the segment that is being made began.
    segment_begins_ms: i64,
    /// Where what came last ends.
    end_ms: i64,
    next_number: u64,
    init: u64,
    /// The next segment does not follow the one before.
    breaks: bool,
    /// Wall time of media time 0.
    wall_origin_ms: i64,
    discontinuities_before: u64,
    target_s: u64,
    part_target_ms: u64,
}

/// A part, as far as there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    There(Range<u64>),
    /// It is being made, or comes next.
    Coming,
    Nowhere,
}

impl Segments {
    #[must_use]
    pub fn new(first_number: u64, max_segment_bytes: usize) -> Self {
        Self {
            cutter: Cutter::new(true, max_segment_bytes),
            max_segment_bytes,
            told: VecDeque::new(),
            places: VecDeque::new(),
            open: None,
            segment_begins_ms: 0,
            end_ms: 0,
            next_number: first_number,
            init: first_number,
            breaks: false,
            wall_origin_ms: 0,
            discontinuities_before: 0,
            target_s: 1,
            part_target_ms: PART_MS.unsigned_abs(),
        }
    }

    /// The number of the segment that comes next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Other tracks, or another publish. Returns the number of the init segment. `end` is the number of the next fragment.
    pub fn begin(&mut self, has_video: bool, wall_origin_ms: i64, end: u64) -> u64 {
        self.close(end);
        self.cutter = Cutter::new(has_video, self.max_segment_bytes);
        self.wall_origin_ms = wall_origin_ms;
        self.init = self.next_number;
        self.init
    }

    /// Takes note of the fragment of this number.
    pub fn push(&mut self, fragment: &LiveFragment, number: u64) {
        match self.cutter.next(fragment) {
            Cut::Nothing => {}
            Cut::Part { at_ms } => {
                self.end_part(at_ms);
                self.begin_part(at_ms, number);
            }
            Cut::Segment { at_ms } => {
                self.end_segment(at_ms, number);
                self.begin_segment(at_ms, number);
            }
        }
        let independent = fragment.keyframe && fragment.kind == self.cutter.leader();
        if let Some(open) = &mut self.open {
            open.independent |= independent;
        }
        self.end_ms = self.end_ms.max(fragment.dts_ms + fragment.duration_ms);
    }

    /// What is being made is complete: nothing follows it.
    pub fn close(&mut self, end: u64) {
        if self.open.is_some() {
            self.end_segment(self.end_ms, end);
            self.breaks = true;
        }
        self.end_ms = i64::MIN;
    }

    fn begin_segment(&mut self, at_ms: i64, number: u64) {
        let begins_at = UnixMillis(self.wall_origin_ms).plus_ms(at_ms).to_string();
        self.told.push_back(Arc::new(Segment {
            number: self.next_number,
            init: self.init,
            discontinuity: std::mem::take(&mut self.breaks),
            begins_at,
            duration_ms: 0,
            parts: Vec::new(),
            complete: false,
        }));
        self.places.push_back(Place { number: self.next_number, first: number, end: None, parts: Vec::new() });
        self.next_number += 1;
        self.segment_begins_ms = at_ms;
        self.begin_part(at_ms, number);
    }

    fn begin_part(&mut self, at_ms: i64, number: u64) {
        self.open = Some(OpenPart { begins_ms: at_ms, independent: false });
        if let Some(place) = self.places.back_mut() {
            place.parts.push(number);
        }
    }

    fn end_part(&mut self, at_ms: i64) {
        let (Some(open), Some(segment)) = (self.open.take(), self.told.back_mut()) else { return };
        let segment = Arc::make_mut(segment);
        let duration_ms = u64::try_from(at_ms - open.begins_ms).unwrap_or(0).max(1);
        segment.parts.push(Part { duration_ms, independent: open.independent });
        segment.duration_ms += duration_ms;
        self.part_target_ms = self.part_target_ms.max(duration_ms);
    }

    fn end_segment(&mut self, at_ms: i64, end: u64) {
        self.end_part(at_ms);
        let (Some(segment), Some(place)) = (self.told.back_mut(), self.places.back_mut()) else { return };
        let segment = Arc::make_mut(segment);
        segment.complete = true;
        place.end = Some(end);
        self.target_s = self.target_s.max((segment.duration_ms + 500) / 1_000);
        self.told.make_contiguous();
    }

    /// Shows no more than the window, and keeps little more. Returns the number of the first fragment that is still of use.
    pub fn trim(&mut self, window: Window) -> Option<u64> {
        let least = if window.watched { MIN_SEGMENTS } else { MIN_SEGMENTS_UNWATCHED };
        let mut shown_ms: u64 = self.told.iter().map(|segment| segment.duration_ms).sum();
        while self.told.len() > least + 1
            && let Some(first) = self.told.front()
            && shown_ms - first.duration_ms >= window.ms
        {
            shown_ms -= first.duration_ms;
            self.hide_first();
        }
        let kept_after = if window.watched { KEPT_AFTER } else { 0 };
        while self.places.len() > self.told.len() + kept_after {
            self.places.pop_front();
        }
        self.places.front().map(|place| place.first)
    }

    /// Gives up the oldest segment that is kept, for want of room. False where there is only the one that is being made.
    pub fn give_up_first(&mut self) -> bool {
        if self.places.len() < 2 {
            return false;
        }
        if self.places.len() == self.told.len() {
            self.hide_first();
        }
        self.places.pop_front();
        true
    }

    /// Shows none of the segments any more. The newest can still be had for a while, by who has been told of them.
    pub fn hide(&mut self) {
        while !self.told.is_empty() {
            self.hide_first();
        }
    }

    /// Forgets all segments; their numbers are not used again.
    pub fn clear(&mut self) {
        self.hide();
        self.places.clear();
        self.open = None;
    }

    /// The number of the first fragment that is kept.
    #[must_use]
    pub fn first_kept(&self) -> Option<u64> {
        self.places.front().map(|place| place.first)
    }

    /// The number of the init segment of what the playlist shows first.
    #[must_use]
    pub fn first_init(&self) -> Option<u64> {
        self.told.front().map(|segment| segment.init)
    }

    fn hide_first(&mut self) {
        if let Some(hidden) = self.told.pop_front() {
            self.discontinuities_before += u64::from(hidden.discontinuity);
        }
    }

    #[must_use]
    pub fn playlist(&self, live: bool, ended: bool) -> MediaPlaylist<'_> {
        MediaPlaylist {
            // It is made contiguous with each segment that ends, and one that begins is looked at only after its first part.
            segments: self.shown(),
            discontinuities_before: self.discontinuities_before,
            target_s: self.target_s,
            part_target_ms: self.part_target_ms,
            live,
            ended,
        }
    }

    fn shown(&self) -> &[Arc<Segment>] {
        let (segments, rest) = self.told.as_slices();
        debug_assert!(rest.is_empty());
        segments
    }

    /// To be called after changes, before [`Segments::playlist`].
    pub fn settle(&mut self) {
        self.told.make_contiguous();
    }

    /// Whether there is a complete segment.
    #[must_use]
    pub fn has_complete(&self) -> bool {
        self.told.iter().any(|segment| segment.complete)
    }

    /// Whether there is a complete part.
    #[must_use]
    pub fn has_part(&self) -> bool {
        self.told.iter().any(|segment| !segment.parts.is_empty())
    }

    /// How long a player may have to wait for what comes next, in all.
    #[must_use]
    pub fn target_s(&self) -> u64 {
        self.target_s
    }

    /// The fragments of a complete segment.
    #[must_use]
    pub fn segment(&self, number: u64) -> Option<Range<u64>> {
        let place = self.place(number)?;
        Some(place.first..place.end?)
    }

    #[must_use]
    pub fn part(&self, number: u64, part: usize) -> Found {
        let Some(place) = self.place(number) else {
            return if number == self.next_number && part == 0 { Found::Coming } else { Found::Nowhere };
        };
        let Some(first) = place.parts.get(part).copied() else {
            // What comes next, of a part whose end is not known.
            return if place.end.is_none() && part == place.parts.len() { Found::Coming } else { Found::Nowhere };
        };
        match place.parts.get(part + 1).copied().or(place.end) {
            Some(end) => Found::There(first..end),
            None => Found::Coming,
        }
    }

    fn place(&self, number: u64) -> Option<&Place> {
        self.places.iter().rev().find(|place| place.number == number)
    }
}

/// The most that a segment of a stream may hold that is kept in so much memory: so that some always fit.
#[must_use]
pub fn max_segment_bytes(max_stream_bytes: usize) -> usize {
    max_stream_bytes / 4
}

/// The longest segment, in whole seconds.
pub const MAX_TARGET_S: u64 = MAX_SEGMENT_MS.unsigned_abs() / 1_000;

#[cfg(test)]
mod tests {
    use afterlive_media::frame::TrackKind;
    use bytes::Bytes;

    use super::*;

    const WATCHED: Window = Window { ms: 4_000, watched: true };

    /// So many seconds of 25 pictures, from the given number and time on.
    fn push(segments: &mut Segments, seconds: i64, from: u64, begins_ms: i64) -> u64 {
        let mut number = from;
        for at in 0..seconds * 25 {
            let (dts_ms, keyframe) = (begins_ms + at * 40, at % 25 == 0);
            let bytes = Bytes::from_static(&[0; 10]);
            segments.push(&LiveFragment { bytes, kind: TrackKind::Video, keyframe, dts_ms, duration_ms: 40 }, number);
            number += 1;
        }
        segments.settle();
        number
    }

    #[test]
    fn parts_and_segments_are_ranges_of_the_same_fragments() {
        let mut segments = Segments::new(100, usize::MAX);
        assert_eq!(segments.begin(true, 0, 0), 100);
        assert_eq!(segments.part(100, 0), Found::Coming, "the first is waited for");
        push(&mut segments, 2, 0, 1_000);
        let playlist = segments.playlist(true, false);
        assert_eq!(playlist.segments[0].begins_at, "1970-01-01T00:00:01.000Z");
        assert_eq!(
            playlist.segments.iter().map(|segment| (segment.duration_ms, segment.parts.len())).collect::<Vec<_>>(),
            [(1_000, 5), (800, 4)]
        );
        assert_eq!(segments.segment(100), Some(0..25));
        let parts = (0..5).map(|part| match segments.part(100, part) {
            Found::There(range) => range,
            other => panic!("{other:?}"),
        });
        assert_eq!(parts.collect::<Vec<_>>(), [0..5, 5..10, 10..15, 15..20, 20..25]);
        assert_eq!((segments.part(100, 5), segments.part(99, 0)), (Found::Nowhere, Found::Nowhere));
        assert_eq!((segments.segment(101), segments.part(101, 4), segments.part(101, 5)), (None, Found::Coming, Found::Coming));
        assert_eq!((segments.part(101, 6), segments.part(102, 0)), (Found::Nowhere, Found::Coming));
    }

    #[test]
    fn the_window_slides_and_what_has_left_it_is_kept_for_a_while() {
        let mut segments = Segments::new(100, usize::MAX);
        segments.begin(true, 0, 0);
        push(&mut segments, 20, 0, 1_000);
        assert_eq!(segments.trim(WATCHED), Some(7 * 25));
        assert_eq!(segments.playlist(true, false).segments[0].number, 113);
        assert_eq!(segments.segment(107), Some(175..200));
        assert_eq!(segments.segment(106), None);
        assert_eq!(segments.trim(Window { ms: 0, watched: false }), Some(16 * 25));
        while segments.give_up_first() {}
        assert_eq!((segments.first_kept(), segments.playlist(true, false).segments.len()), (Some(19 * 25), 1));
    }

    #[test]
    fn what_is_hidden_can_still_be_had_for_a_while() {
        let mut segments = Segments::new(100, usize::MAX);
        segments.begin(true, 0, 0);
        let end = push(&mut segments, 8, 0, 1_000);
        segments.close(end);
        segments.hide();
        assert_eq!((segments.has_complete(), segments.playlist(true, false).discontinuities_before), (false, 0));
        segments.begin(true, 50_000, end);
        let end = push(&mut segments, 2, end, 1_000);
        segments.trim(WATCHED);
        let told: Vec<_> = segments.playlist(true, false).segments.iter().map(|told| (told.number, told.discontinuity)).collect();
        assert_eq!(told, [(108, true), (109, false)]);
        assert_eq!((segments.segment(101), segments.segment(102), end), (None, Some(50..75), 250));
    }

    #[test]
    fn another_publish_is_a_discontinuity_and_numbers_go_on() {
        let mut segments = Segments::new(100, usize::MAX);
        segments.begin(true, 0, 0);
        let end = push(&mut segments, 1, 0, 1_000);
        segments.close(end);
        assert_eq!(segments.segment(100), Some(0..25));
        assert_eq!(segments.begin(true, 50_000, end), 101);
        let end = push(&mut segments, 8, end, 1_000);
        let playlist = segments.playlist(true, false);
        let told: Vec<_> =
            playlist.segments.iter().take(3).map(|segment| (segment.number, segment.init, segment.discontinuity)).collect();
        assert_eq!(told, [(100, 100, false), (101, 101, true), (102, 101, false)]);
        assert_eq!(playlist.segments[1].begins_at, "1970-01-01T00:00:51.000Z");
        segments.trim(WATCHED);
        segments.settle();
        assert_eq!(
            (segments.playlist(true, false).segments[0].number, segments.playlist(true, false).discontinuities_before),
            (102, 1)
        );
        segments.close(end);
        segments.clear();
        assert_eq!((segments.next_number(), segments.first_kept()), (109, None));
    }
}
