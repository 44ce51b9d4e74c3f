//! Where one fragment ends and the next begins. Pure: media time and sizes in, a yes or no out.

use afterlive_media::frame::TrackKind;

/// A fragment ends at the first picture after so long: what a crash may cost.
const FRAGMENT_MS: i64 = 1_000;
/// At a keyframe it ends earlier, but not earlier than this: an encoder that sends nothing but keyframes must not ask for a disk's attention at each.
const KEYFRAME_MS: i64 = 500;
/// Audio waits a little for the picture that is due; not for ever, since the camera may be off.
const AUDIO_MS: i64 = 1_250;
/// A fragment of more bytes ends whatever its times say: they may stand still.
const FRAGMENT_BYTES: u64 = 16 << 20;
/// So does one of more frames: of tiny ones without a clock, each costs more memory than it has bytes, and a crash would cost them all.
const FRAGMENT_FRAMES: u32 = 4_096;

/// Decides after each frame whether what came before it is a fragment.
#[derive(Clone, Default, Debug)]
pub(super) struct Cutter {
    /// Decoding time of the frame that the fragment in progress began with.
    began_ms: Option<i64>,
    /// How many frames it has.
    frames: u32,
    has_pictures: bool,
}

impl Cutter {
    /// Takes note of a frame; true where the next fragment begins with it. `pending_bytes` is what the fragment in progress holds.
    pub(super) fn begins_with(&mut self, kind: TrackKind, keyframe: bool, dts_ms: i64, pending_bytes: u64) -> bool {
        self.has_pictures |= kind == TrackKind::Video;
        let Some(began_ms) = self.began_ms else {
            self.began_ms = Some(dts_ms);
            self.frames = 1;
            return false;
        };
        let longest = match kind {
            TrackKind::Video if keyframe => KEYFRAME_MS,
            TrackKind::Audio if self.has_pictures => AUDIO_MS,
            TrackKind::Video | TrackKind::Audio => FRAGMENT_MS,
        };
        let passed_ms = dts_ms.saturating_sub(began_ms);
        // Further back than tracks are ever apart: the encoder's clock was set.
        let jumped_back = passed_ms <= -FRAGMENT_MS;
        let cut = passed_ms >= longest || jumped_back || pending_bytes >= FRAGMENT_BYTES || self.frames >= FRAGMENT_FRAMES;
        if cut {
            self.began_ms = Some(dts_ms);
            self.frames = 0;
        }
        self.frames += 1;
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterlive_media::frame::TrackKind::{Audio, Video};
    use proptest::prelude::*;

    /// The times at which fragments begin.
    fn cuts(frames: impl IntoIterator<Item = (TrackKind, bool, i64)>) -> Vec<i64> {
        let mut cutter = Cutter::default();
        frames.into_iter().filter(|(kind, key, ms)| cutter.begins_with(*kind, *key, *ms, 0)).map(|(_, _, ms)| ms).collect()
    }

    #[test]
    fn frames_without_a_clock_are_cut_by_their_number() {
        let standing = std::iter::repeat_n((Audio, true, 7), 3 * FRAGMENT_FRAMES as usize + 1);
        assert_eq!(cuts(standing), [7, 7, 7]);
    }

    #[test]
    fn fragments_begin_at_keyframes_or_after_a_second() {
        let pictures = |keyframe_every_ms: i64| (0..100).map(move |n| (Video, n * 40 % keyframe_every_ms == 0, n * 40));
        assert_eq!(cuts(pictures(2_000)), [1_000, 2_000, 3_000]);
        assert_eq!(cuts(pictures(40)), [520, 1_040, 1_560, 2_080, 2_600, 3_120, 3_640]);
        assert_eq!(cuts(pictures(600)), [600, 1_200, 1_800, 2_400, 3_000, 3_600]);
    }

    #[test]
    fn audio_alone_is_cut_each_second_and_beside_pictures_leaves_it_to_them() {
        assert_eq!(cuts((0..100).map(|n| (Audio, true, n * 25))), [1_000, 2_000]);
        let both = (0..120).flat_map(|n| [(Audio, true, n * 20), (Video, n % 50 == 0, n * 20)]);
        assert_eq!(cuts(both.filter(|(kind, _, ms)| *kind == Audio || ms % 40 == 0)), [1_000, 2_000]);
        // The camera goes off after the first picture.
        assert_eq!(cuts([(Video, true, 0)].into_iter().chain((0..200).map(|n| (Audio, true, n * 25)))), [1_250, 2_500, 3_750]);
    }

    proptest! {
        #[test]
        fn no_fragment_grows_without_end(steps in proptest::collection::vec((any::<bool>(), any::<bool>(), -5_000..5_000_i64, 0..4_000_000_u64), 1..500)) {
            let (mut cutter, mut ms, mut began, mut bytes) = (Cutter::default(), 0_i64, None, 0_u64);
            for (video, keyframe, step_ms, size) in steps {
                ms += step_ms;
                bytes += size;
                let kind = if video { Video } else { Audio };
                if cutter.begins_with(kind, keyframe, ms, bytes) {
                    (began, bytes) = (Some(ms), 0);
                }
                let began_ms = *began.get_or_insert(ms);
                prop_assert!((ms - began_ms).abs() < AUDIO_MS && bytes < FRAGMENT_BYTES);
            }
        }
    }
}
