//! Where one fragment ends and the next begins. Pure: media time and sizes in, a yes or no out.

use afterlive_media::frame::{TrackConfig, TrackKind};
use afterlive_media::time::{MILLISECONDS, rescale};

use crate::hub::Message;

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

/// Says of messages that wait for the recorder at which of them it is to look: where it will most likely cut, and at keyframes, which limits look for.
#[derive(Debug)]
pub(super) struct Foresight {
    cutter: Cutter,
    /// Of pictures and of sound.
    timescales: [u32; 2],
}

impl Foresight {
    /// `cutter` and `tracks` as they are before the first of the messages.
    pub(super) fn new<'a>(cutter: Cutter, tracks: impl IntoIterator<Item = &'a TrackConfig>) -> Self {
        let mut foresight = Self { cutter, timescales: [MILLISECONDS; 2] };
        tracks.into_iter().for_each(|track| foresight.configure(track));
        foresight
    }

    fn configure(&mut self, track: &TrackConfig) {
        self.timescales[track.codec.kind() as usize] = track.timescale;
    }

    pub(super) fn wakes_at(&mut self, message: &Message) -> bool {
        match message {
            Message::Frame(frame) => {
                let dts_ms = rescale(frame.dts, self.timescales[frame.kind as usize], MILLISECONDS);
                // What is large wakes the recorder by its size.
                let cuts = self.cutter.begins_with(frame.kind, frame.keyframe, dts_ms, 0);
                cuts || frame.kind == TrackKind::Video && frame.keyframe
            }
            Message::TrackChanged(track) => {
                self.configure(track);
                true
            }
            Message::Ended => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterlive_media::frame::TrackKind::{Audio, Video};
    use afterlive_media::frame::{CodecConfig, Frame};
    use bytes::Bytes;
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

    fn track(kind: TrackKind, timescale: u32) -> TrackConfig {
        let codec = match kind {
            Video => CodecConfig::H264 { avcc: Bytes::new(), width: 1280, height: 720 },
            Audio => CodecConfig::Aac { asc: Bytes::new(), sample_rate: timescale, channels: 2 },
        };
        TrackConfig { codec, timescale }
    }

    fn frame(kind: TrackKind, keyframe: bool, dts: i64) -> Message {
        Message::Frame(Frame { kind, dts, pts_offset: 0, keyframe, data: Bytes::new() })
    }

    #[test]
    fn the_recorder_is_woken_by_the_track_s_own_clock() {
        let mut foresight = Foresight::new(Cutter::default(), &[track(Audio, 44_100)]);
        let mut wakes = |messages: Vec<Message>| messages.iter().filter(|message| foresight.wakes_at(message)).count();
        let sound = |n: i64| frame(Audio, true, n * 1_024);
        assert_eq!(wakes((0..=100).map(sound).collect()), 2, "2,322 ms");
        assert_eq!(wakes(vec![Message::TrackChanged(track(Audio, 8_000))]), 1);
        assert_eq!(wakes((19..=24).map(sound).collect()), 1, "2,432 to 3,072 ms: a fragment began at 2,043");
    }

    proptest! {
        /// As the recorder does it: it takes all that waits when it is woken, and looks ahead anew. What it finds out late is that a picture can be begun with.
        #[test]
        fn nothing_that_can_be_written_waits_for_a_second(frames in proptest::collection::vec((any::<bool>(), 0..3_u8, 0..600_i64), 1..400)) {
            let tracks = [track(Video, 1_000), track(Audio, 1_000)];
            let (mut cutter, mut foresight) = (Cutter::default(), Foresight::new(Cutter::default(), &tracks));
            let (mut ms, mut waiting, mut began, mut found_late) = (0, Vec::new(), None, false);
            for (video, key, step_ms) in frames {
                ms += step_ms;
                let kind = if video { Video } else { Audio };
                let (known, found) = (video && key == 1, video && key == 2);
                let is_woken = foresight.wakes_at(&frame(kind, known, ms));
                waiting.push((kind, known || found, ms));
                found_late |= found;
                if !is_woken {
                    prop_assert!(ms - *began.get_or_insert(ms) < AUDIO_MS, "{ms} ms");
                    continue;
                }
                let mut cuts = 0;
                for (kind, keyframe, ms) in waiting.drain(..) {
                    if cutter.begins_with(kind, keyframe, ms, 0) {
                        cuts += 1;
                        began = Some(ms);
                    }
                    began.get_or_insert(ms);
                }
                prop_assert!(cuts <= 1 || found_late, "all but the last fragment could have been written before");
                found_late = false;
                foresight = Foresight::new(cutter.clone(), &tracks);
            }
        }

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
