//! Sound that is missing from a live stream is made up for by silence: how much, and of what frames. What is recorded has nothing of this.
//!
//! Browsers play decoded sound back to back, and take their clock from it: without it each gap would put the sound ahead of the picture, for good.

use bytes::Bytes;

use crate::codec::{aac::AacConfig, opus};
use crate::frame::{CodecConfig, Frame, TrackKind};
use crate::time::rescale;

/// More is not made up for: what follows such a gap is begun anew, the picture with its next keyframe.
const MOST_SECONDS: i64 = 30;
const MOST_FRAMES: i64 = 1_500;
/// AAC LC without sound, ISO/IEC 14496-3 §4.4.2.1: one element with a gain and no spectrum, and the end. A single channel, and a pair with a common window.
const AAC_MONO: &[u8] = &[0x00, 0x00, 0x00, 0x07];
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];

/// What a decoder has put out of one track, by count, against what the frames' times say.
#[derive(Debug)]
pub(super) struct Silence {
    timescale: u32,
    kind: Kind,
    /// Where the count began, in ticks, and how many samples there were since.
    counted: Option<(i64, i64)>,
}

#[derive(Debug)]
enum Kind {
    Aac {
        frame: &'static [u8],
        samples: u32,
        sample_rate: u32,
    },
    /// A packet without a frame stands for a lost one, which decoders make up for themselves: RFC 6716 §3.2.1. `toc` is the last packet's first byte, of which
    /// the number of frames is made one.
    Opus {
        toc: Option<u8>,
    },
}

impl Silence {
    /// `None` where it is not known how this codec is silent.
    pub(super) fn of(codec: &CodecConfig, timescale: u32) -> Option<Self> {
        let kind = match codec {
            CodecConfig::Aac { asc, .. } => {
                let aac = AacConfig::parse(asc).ok().filter(|aac| aac.object_type == 2 && !aac.sbr)?;
                let frame = match aac.channels {
                    1 => AAC_MONO,
                    2 => AAC_STEREO,
                    _ => return None,
                };
                Kind::Aac { frame, samples: aac.frame_samples, sample_rate: aac.sample_rate }
            }
            CodecConfig::Opus { .. } => Kind::Opus { toc: None },
            CodecConfig::H264 { .. } | CodecConfig::Hevc { .. } | CodecConfig::Av1 { .. } => return None,
        };
        Some(Self { timescale, kind, counted: None })
    }

    /// What is to be put before a frame that is due at `dts`, to its tick; most often nothing.
    pub(super) fn before(&self, dts: i64) -> Vec<Frame> {
        let (Some((since, counted)), Some(samples)) = (self.counted, self.frame_samples()) else { return Vec::new() };
        let missing = self.samples(dts.saturating_sub(since)).saturating_sub(counted);
        // Times are rounded: a frame of which so little seems to be there is missing.
        let count = (missing + samples / 4) / samples;
        if count <= 0 || count > MOST_FRAMES || missing > MOST_SECONDS * i64::from(self.sample_rate()) {
            return Vec::new();
        }
        let data = self.frame();
        let frame = |at: i64| Frame {
            kind: TrackKind::Audio,
            dts: since.saturating_add(rescale(counted + at * samples, self.sample_rate(), self.timescale)),
            pts_offset: 0,
            keyframe: true,
            data: data.clone(),
        };
        (0..count).map(frame).collect()
    }

    /// A frame that begins at `dts` has been put out.
    pub(super) fn count(&mut self, dts: i64, frame: &[u8]) {
        let samples = match &mut self.kind {
            Kind::Aac { samples, .. } => i64::from(*samples),
            Kind::Opus { toc } => {
                let Some(samples) = opus::packet_samples(frame) else { return };
                *toc = frame.first().copied();
                samples.into()
            }
        };
        let (since, counted) = self.counted.unwrap_or((dts, 0));
        let begins = self.samples(dts.saturating_sub(since));
        // A gap that was not filled.
        let (since, counted) = if begins - counted >= samples { (dts, 0) } else { (since, counted) };
        self.counted = Some((since, counted + samples));
    }

    /// A silent frame; empty before the first packet of Opus.
    fn frame(&self) -> Bytes {
        match self.kind {
            Kind::Aac { frame, .. } => Bytes::from_static(frame),
            Kind::Opus { toc } => toc.map(one_frame).into_iter().collect(),
        }
    }

    /// How many samples it stands for. Asked for each frame of sound, so without making one.
    fn frame_samples(&self) -> Option<i64> {
        match self.kind {
            Kind::Aac { samples, .. } => Some(samples.into()),
            Kind::Opus { toc } => opus::packet_samples(&[one_frame(toc?)]).map(i64::from),
        }
    }

    fn sample_rate(&self) -> u32 {
        match self.kind {
            Kind::Aac { sample_rate, .. } => sample_rate,
            Kind::Opus { .. } => opus::SAMPLE_RATE,
        }
    }

    fn samples(&self, ticks: i64) -> i64 {
        rescale(ticks, self.timescale, self.sample_rate())
    }
}

/// The first byte of a packet that is coded alike, and has one frame.
fn one_frame(toc: u8) -> u8 {
    toc & !0b11
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of CELT, full band, one frame.
    const PACKET: [u8; 3] = [0b1111_1000, 1, 2];

    fn opus() -> Silence {
        Silence::of(&CodecConfig::Opus { dops: opus::stereo_dops(312), channels: 2, pre_skip: 312 }, 48_000).expect("known")
    }

    fn aac(asc: &'static [u8]) -> Option<Silence> {
        Silence::of(&CodecConfig::Aac { asc: Bytes::from_static(asc), sample_rate: 48_000, channels: 2 }, 1_000)
    }

    #[test]
    fn what_is_missing_is_made_up_for_to_the_frame() {
        let mut silence = opus();
        assert!(silence.before(480_000).is_empty(), "nothing is missing before the first");
        silence.count(480_000, &PACKET);
        assert!(silence.before(480_960).is_empty());
        let filled = silence.before(480_960 + 3 * 960);
        assert_eq!(filled.iter().map(|frame| frame.dts).collect::<Vec<_>>(), [480_960, 481_920, 482_880]);
        assert!(filled.iter().all(|frame| *frame.data == [0b1111_1000]));
    }

    #[test]
    fn what_is_missing_by_and_by_is_made_up_for_once_it_is_a_frame() {
        let mut silence = opus();
        silence.count(0, &PACKET);
        let mut filled = 0;
        for at in 1..100 {
            // Each comes a hundredth late.
            let dts = at * 970;
            for frame in silence.before(dts) {
                silence.count(frame.dts, &frame.data);
                filled += 1;
            }
            silence.count(dts, &PACKET);
        }
        assert_eq!(filled, 1, "990 samples, of 960 each");
    }

    #[test]
    fn times_in_milliseconds_are_no_gaps_and_hide_none() {
        let mut silence = aac(&[0x11, 0x90]).expect("LC, 48 kHz, stereo");
        let ms = |frames: i64| frames * 1_024 * 1_000 / 48_000;
        for at in 0..10_000 {
            assert!(silence.before(ms(at)).is_empty(), "{at}");
            silence.count(ms(at), b"sound");
        }
        assert_eq!(silence.before(ms(10_001)).len(), 1);
        assert_eq!(silence.before(ms(10_001))[0].data, AAC_STEREO);
    }

    #[test]
    fn a_long_pause_is_begun_anew_and_an_unknown_codec_is_left_alone() {
        let mut silence = opus();
        silence.count(0, &PACKET);
        assert!(silence.before(31 * 48_000).is_empty());
        silence.count(31 * 48_000, &PACKET);
        assert!(silence.before(31 * 48_000 + 960).is_empty(), "counted from there");
        assert_eq!(silence.before(31 * 48_000 + 1_920).len(), 1);
        assert!(aac(&[0x2b, 0x92, 0x08, 0x00]).is_none(), "HE-AAC");
        assert!(aac(&[0x11, 0xb0]).is_none(), "six channels");
    }
}
