//! Where a recording comes to one of its limits although the publish goes on, and with which frame the next one begins. Pure.
//!
//! That is the first frame behind the limit that another recording could begin with: a keyframe or a recovery point, or sound where there are no pictures or
//! none has come for [`SILENT_MS`]. Where keyframes cease, the recording would never end: [`GRACE_MS`] behind its limit any picture is taken.

use afterlive_media::frame::TrackKind;

use super::limits::Limits;

/// So long nothing that is better is waited for.
const GRACE_MS: i64 = 60_000;
/// A camera that has sent nothing for so long is off.
const SILENT_MS: i64 = 5_000;

/// A frame, before it is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) kind: TrackKind,
    pub(super) dts_ms: i64,
    pub(super) bytes: u64,
    /// Whether another recording could begin with it, as far as that is a matter of the frame.
    pub(super) could_begin: bool,
    /// Whether the recording has a track of pictures.
    pub(super) has_pictures: bool,
}

/// Counts towards the limits.
#[derive(Clone, Debug)]
pub(super) struct Brink {
    limits: Limits,
    /// What the recording had before an encoder came back.
    before_ms: u64,
    /// Media time of the first frame.
    began_ms: Option<i64>,
    last_picture_ms: Option<i64>,
    /// When the recording came to its limit, and could not end.
    over_from_ms: Option<i64>,
    /// Bytes of frames since the last one that another recording could begin with, and the most that this has been.
    stretch_bytes: u64,
    longest_stretch_bytes: u64,
}

impl Brink {
    pub(super) fn new(limits: Limits, before_ms: u64) -> Self {
        Self {
            limits,
            before_ms,
            began_ms: None,
            last_picture_ms: None,
            over_from_ms: None,
            stretch_bytes: 0,
            longest_stretch_bytes: 0,
        }
    }

    /// Whether the recording ends before this frame. `file_bytes` is what the file has, with what waits to be written. To stay below the limit of bytes another
    /// stretch as the longest so far must fit.
    pub(super) fn ends_before(&mut self, frame: Arrival, file_bytes: impl Fn() -> u64) -> bool {
        let Arrival { kind, dts_ms, bytes, .. } = frame;
        let could_begin = match kind {
            TrackKind::Video => frame.could_begin,
            TrackKind::Audio => !frame.has_pictures || self.is_without_pictures(dts_ms),
        };
        if could_begin {
            if self.is_at_limit(dts_ms, || file_bytes() + self.longest_stretch_bytes) {
                return true;
            }
            self.stretch_bytes = 0;
        } else if self.is_at_limit(dts_ms, file_bytes) {
            let over_from_ms = *self.over_from_ms.get_or_insert(dts_ms);
            if kind == TrackKind::Video && dts_ms.saturating_sub(over_from_ms) >= GRACE_MS {
                return true;
            }
        }
        self.stretch_bytes += bytes;
        self.longest_stretch_bytes = self.longest_stretch_bytes.max(self.stretch_bytes);
        false
    }

    /// A frame is recorded.
    pub(super) fn count(&mut self, kind: TrackKind, dts_ms: i64) {
        self.began_ms.get_or_insert(dts_ms);
        if kind == TrackKind::Video {
            self.last_picture_ms = Some(dts_ms);
        }
    }

    fn is_without_pictures(&self, dts_ms: i64) -> bool {
        let since_ms = self.last_picture_ms.or(self.began_ms);
        since_ms.is_some_and(|since_ms| dts_ms.saturating_sub(since_ms) >= SILENT_MS)
    }

    fn is_at_limit(&self, dts_ms: i64, bytes: impl FnOnce() -> u64) -> bool {
        let Some(began_ms) = self.began_ms else { return false };
        let recorded_ms = u128::from(self.before_ms) + u128::try_from(dts_ms.saturating_sub(began_ms)).unwrap_or(0);
        self.limits.max_duration.is_some_and(|most| recorded_ms >= most.as_millis())
            || self.limits.max_bytes.is_some_and(|most| bytes() > most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use TrackKind::{Audio, Video};
    use proptest::prelude::*;

    use super::*;

    fn brink(limits: Limits) -> Brink {
        Brink::new(limits, 0)
    }

    fn a_minute() -> Limits {
        Limits { max_duration: Some(Duration::from_secs(60)), ..Limits::default() }
    }

    /// The frame before which the recording ends: of its kind, at its time. Each frame has a byte.
    fn end(mut brink: Brink, frames: impl IntoIterator<Item = (TrackKind, i64, bool)>) -> Option<(TrackKind, i64)> {
        for (file_bytes, (kind, dts_ms, could_begin)) in (0..).zip(frames) {
            let arrival = Arrival { kind, dts_ms, bytes: 1, could_begin, has_pictures: true };
            if brink.ends_before(arrival, || file_bytes) {
                return Some((kind, dts_ms));
            }
            brink.count(kind, dts_ms);
        }
        None
    }

    fn pictures(keyframe_every_ms: i64, to_ms: i64) -> impl Iterator<Item = (TrackKind, i64, bool)> {
        (0..to_ms / 40).map(move |n| (Video, n * 40, n * 40 % keyframe_every_ms == 0))
    }

    fn sound(to_ms: i64) -> impl Iterator<Item = (TrackKind, i64, bool)> {
        (0..to_ms / 20).map(|n| (Audio, n * 20, true))
    }

    #[test]
    fn it_ends_before_a_frame_that_another_could_begin_with() {
        assert_eq!(end(brink(a_minute()), pictures(8_000, 200_000)), Some((Video, 64_000)));
        let bytes = Limits { max_bytes: Some(1_000), ..Limits::default() };
        // Another 200 pictures must fit.
        assert_eq!(end(brink(bytes), pictures(8_000, 200_000)), Some((Video, 40_000)));
        assert_eq!(end(brink(Limits::default()), pictures(8_000, 200_000)), None);
    }

    #[test]
    fn where_keyframes_cease_it_ends_a_minute_late() {
        assert_eq!(end(brink(a_minute()), pictures(1_000_000, 200_000)), Some((Video, 120_000)));
        let both = pictures(1_000_000, 200_000).flat_map(|(kind, ms, key)| [(kind, ms, key), (Audio, ms + 5, true)]);
        assert_eq!(end(brink(a_minute()), both), Some((Video, 120_000)));
        let bytes = Limits { max_bytes: Some(1_000), ..Limits::default() };
        assert_eq!(end(brink(bytes), pictures(1_000_000, 200_000)), Some((Video, 100_040)));
    }

    #[test]
    fn where_pictures_cease_it_ends_with_the_sound() {
        let camera_off = pictures(8_000, 10_000).chain(sound(200_000));
        assert_eq!(end(brink(a_minute()), camera_off), Some((Audio, 60_000)));
        assert_eq!(end(brink(a_minute()), sound(200_000)), Some((Audio, 60_000)), "none came");
        let both = pictures(8_000, 200_000).flat_map(|(kind, ms, key)| [(Audio, ms, true), (kind, ms, key)]);
        assert_eq!(end(brink(a_minute()), both), Some((Video, 64_000)));
    }

    proptest! {
        #[test]
        fn no_recording_is_without_end(steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..2_000_i64), 1..600)) {
            let (mut brink, mut ms) = (brink(a_minute()), 0);
            for (video, could_begin, step_ms) in steps {
                ms += step_ms;
                let kind = if video { Video } else { Audio };
                if brink.ends_before(Arrival { kind, dts_ms: ms, bytes: 1, could_begin, has_pictures: true }, || 0) {
                    break;
                }
                brink.count(kind, ms);
                // To the first frame, to the end of the grace, and to a picture or to where they have ceased.
                prop_assert!(ms <= 2_000 + 60_000 + GRACE_MS + SILENT_MS + 2_000, "{ms}");
            }
        }
    }
}
