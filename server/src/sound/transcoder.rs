//! One stream's sound from one codec to another, frame by frame. Runs in the process of the `worker`; blocks.

use std::collections::VecDeque;

use video_rs::ffmpeg::codec::{self, Id, encoder};
use video_rs::ffmpeg::format::sample::{Sample, Type};
use video_rs::ffmpeg::software::resampling::Context as Resampler;
use video_rs::ffmpeg::util::frame::Audio;
use video_rs::ffmpeg::{self, ChannelLayout, Packet};

use super::decoder::{Coding, Decoders};
use super::{CHANNELS, Codec, SAMPLE_RATE};

/// 20 ms, as browsers have it.
const OPUS_SAMPLES: usize = 960;
/// What a frame of AAC-LC has.
const AAC_SAMPLES: usize = 1_024;
const BIT_RATE: usize = 128_000;
/// A frame may be dated so far from where the sound before it ends, 10 ms, and follows it all the same: less than the shortest packet that is likely to be lost.
const LARGEST_DRIFT: u64 = 480;
/// What is missing is silence, up to a second of it; what is dated before the end of the sound before is left out, up to as much. What is further off is a jump:
/// what waits is dropped, and the count begins anew.
const LARGEST_GAP: u64 = 48_000;
/// The most samples that are taken of one frame: the longest packet of Opus has an eighth of that.
const MAX_DECODED_SAMPLES: usize = 48_000;

type Result<T> = std::result::Result<T, ffmpeg::Error>;

/// For sound of this format, layout and rate.
type Fitted = (Sample, ChannelLayout, u32, Resampler);

pub(super) struct Transcoder {
    target: Codec,
    decoders: Decoders,
    encoder: encoder::audio::Encoder,
    resampler: Option<Fitted>,
    /// Both channels of each sample.
    waiting: VecDeque<[f32; CHANNELS]>,
    /// The time of the first that waits.
    next: Option<i64>,
    /// The time of the first sample of all.
    first: Option<i64>,
    /// So many of the next decoded samples have been heard already.
    to_skip: usize,
}

impl Transcoder {
    pub(super) fn new(target: Codec) -> Result<Self> {
        let codec = match target {
            Codec::Opus => encoder::find_by_name("libopus"),
            Codec::Aac => encoder::find(Id::AAC),
        };
        let codec = codec.ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut encoder = codec::Context::new_with_codec(codec).encoder().audio()?;
        encoder.set_rate(SAMPLE_RATE as i32);
        encoder.set_format(Sample::F32(arrangement(target)));
        encoder.set_channel_layout(ChannelLayout::STEREO);
        encoder.set_channels(CHANNELS as i32);
        encoder.set_bit_rate(BIT_RATE);
        encoder.set_time_base((1, SAMPLE_RATE as i32));
        let encoder = encoder.open_as(codec)?;
        let waiting = VecDeque::new();
        let decoders = Decoders::default();
        Ok(Self { target, decoders, encoder, resampler: None, waiting, next: None, first: None, to_skip: 0 })
    }

    /// Takes a frame; the packets that are whole with it, each with its time. What cannot be decoded is missing.
    pub(super) fn put(&mut self, at: i64, coding: Coding, frame: &[u8]) -> Result<Vec<(i64, Vec<u8>)>> {
        let mut sound = Vec::new();
        let resampler = &mut self.resampler;
        self.decoders.decode(coding, frame, |frame| resample(resampler, frame, &mut sound))?;
        if !sound.is_empty() {
            self.follow(at);
            let skipped = self.to_skip.min(sound.len());
            self.to_skip -= skipped;
            self.waiting.extend(&sound[skipped..]);
        }
        let packet_samples = samples(self.target);
        let mut packets = Vec::new();
        while self.waiting.len() >= packet_samples {
            let at = self.next.unwrap_or(at);
            self.encode(at)?;
            self.next = Some(at + packet_samples as i64);
            let mut packet = Packet::empty();
            while self.encoder.receive_packet(&mut packet).is_ok() {
                // The encoder says when a packet is heard: before what it was given last, by its look-ahead.
                let heard_at = packet.pts().unwrap_or(at);
                // The first frame of AAC has nothing but what the encoder begins with, and its time may be below zero.
                if self.target == Codec::Opus || self.first.is_none_or(|first| heard_at >= first) {
                    packets.push((heard_at, packet.data().unwrap_or_default().to_vec()));
                }
            }
        }
        Ok(packets)
    }

    /// Lets what comes next lie where it is dated.
    fn follow(&mut self, at: i64) {
        let expected = self.next.map(|next| next + self.waiting.len() as i64);
        match expected.map(|expected| (at >= expected, expected.abs_diff(at))) {
            Some((_, off)) if off <= LARGEST_DRIFT => self.to_skip = 0,
            Some((true, missing)) if missing <= LARGEST_GAP => {
                self.waiting.extend(std::iter::repeat_n([0.0; CHANNELS], missing as usize));
                self.to_skip = 0;
            }
            Some((false, again)) if again <= LARGEST_GAP => self.to_skip = again as usize,
            _ => {
                self.waiting.clear();
                (self.next, self.to_skip) = (Some(at), 0);
                self.first.get_or_insert(at);
            }
        }
    }

    fn encode(&mut self, at: i64) -> Result<()> {
        let arrangement = arrangement(self.target);
        let mut frame = Audio::new(Sample::F32(arrangement), samples(self.target), ChannelLayout::STEREO);
        frame.set_rate(SAMPLE_RATE);
        frame.set_pts(Some(at));
        match arrangement {
            Type::Packed => {
                let places = frame.data_mut(0).chunks_exact_mut(size_of::<[f32; CHANNELS]>());
                for (place, sample) in places.zip(self.waiting.drain(..samples(self.target))) {
                    for (place, value) in place.chunks_exact_mut(size_of::<f32>()).zip(sample) {
                        place.copy_from_slice(&value.to_ne_bytes());
                    }
                }
            }
            Type::Planar => {
                for channel in 0..CHANNELS {
                    for (place, sample) in frame.plane_mut::<f32>(channel).iter_mut().zip(&self.waiting) {
                        *place = sample[channel];
                    }
                }
                self.waiting.drain(..samples(self.target));
            }
        }
        self.encoder.send_frame(&frame)
    }
}

/// Adds both channels of each decoded sample to `sound`.
fn resample(fitted: &mut Option<Fitted>, frame: &Audio, sound: &mut Vec<[f32; CHANNELS]>) -> Result<()> {
    let layout = match frame.channel_layout() {
        layout if layout.is_empty() => ChannelLayout::default(frame.channels().into()),
        layout => layout,
    };
    let is = (frame.format(), layout, frame.rate());
    if fitted.as_ref().is_none_or(|(format, layout, rate, _)| (*format, *layout, *rate) != is) {
        let resampler = Resampler::get(is.0, is.1, is.2, Sample::F32(Type::Planar), ChannelLayout::STEREO, SAMPLE_RATE)?;
        *fitted = Some((is.0, is.1, is.2, resampler));
    }
    let Some((.., resampler)) = fitted else { return Ok(()) };
    // Room for a frame at the highest ratio of rates.
    let most = frame.samples() * SAMPLE_RATE as usize / (frame.rate().max(1) as usize) + AAC_SAMPLES;
    let mut out = Audio::new(Sample::F32(Type::Planar), most, ChannelLayout::STEREO);
    resampler.run(frame, &mut out)?;
    if out.planes() == CHANNELS {
        let samples = out.plane::<f32>(0).iter().zip(out.plane::<f32>(1)).map(|(left, right)| [*left, *right]);
        sound.extend(samples.take(MAX_DECODED_SAMPLES.saturating_sub(sound.len())));
    }
    Ok(())
}

/// Of a packet.
fn samples(target: Codec) -> usize {
    match target {
        Codec::Opus => OPUS_SAMPLES,
        Codec::Aac => AAC_SAMPLES,
    }
}

/// How the encoder wants its channels.
fn arrangement(target: Codec) -> Type {
    match target {
        Codec::Opus => Type::Packed,
        Codec::Aac => Type::Planar,
    }
}

#[cfg(test)]
mod tests {
    use video_rs::ffmpeg::codec::decoder;

    use super::super::generated::{self, aac};
    use super::*;

    /// Where the tone begins, in samples.
    const ONSET: i64 = 24_000;

    /// Half a second of silence and then a tone.
    fn opus(from: i64) -> generated::Packets {
        generated::opus(from, |n| if n < ONSET { [0.0; 2] } else { [0.5 * (n as f32 * 0.13).sin(); 2] })
    }

    /// When the first loud sample of the packets is heard.
    fn onset(id: Id, packets: &[(i64, Vec<u8>)]) -> i64 {
        let codec = decoder::find(id).unwrap();
        let mut decoder = codec::Context::new_with_codec(codec).decoder().open_as(codec).unwrap().audio().unwrap();
        for (at, packet) in packets {
            decoder.send_packet(&Packet::copy(packet)).unwrap();
            let mut frame = Audio::empty();
            while decoder.receive_frame(&mut frame).is_ok() {
                if let Some(n) = frame.plane::<f32>(0).iter().position(|sample| sample.abs() > 0.1) {
                    return at + n as i64;
                }
            }
        }
        panic!("nothing is heard");
    }

    fn assert_close(heard: i64, expected: i64) {
        assert!((heard - expected).abs() < 240, "heard {} samples late", heard - expected);
    }

    fn assert_steps(packets: &[(i64, Vec<u8>)], samples: usize) {
        assert!(packets.windows(2).all(|pair| pair[1].0 - pair[0].0 == samples as i64), "without a gap");
    }

    #[test]
    fn opus_is_heard_as_aac_at_the_time_at_which_it_was_sent() {
        let sent = opus(96_000);
        let aac = aac(&sent);
        assert_steps(&aac, AAC_SAMPLES);
        assert!((0..AAC_SAMPLES as i64).contains(&(aac[0].0 - sent[0].0)), "no priming: {} for {}", aac[0].0, sent[0].0);
        let late = sent.last().unwrap().0 - aac.last().unwrap().0;
        assert!(late <= 3 * AAC_SAMPLES as i64, "{late} samples wait");
        assert_close(onset(Id::AAC, &aac), 96_000 + ONSET);
    }

    #[test]
    fn aac_is_heard_as_opus_at_the_time_at_which_it_was_sent() {
        let mut transcoder = Transcoder::new(Codec::Opus).unwrap();
        let sent = aac(&opus(0));
        let opus: Vec<_> = sent.iter().flat_map(|(at, frame)| transcoder.put(*at, Coding::Adts, frame).unwrap()).collect();
        assert_steps(&opus, OPUS_SAMPLES);
        assert_close(onset(Id::OPUS, &opus), ONSET);
    }

    #[test]
    fn what_is_lost_is_silence_and_what_follows_keeps_its_time() {
        let mut sent = opus(0);
        sent.drain(10..20);
        sent.remove(3);
        let aac = aac(&sent);
        assert_steps(&aac, AAC_SAMPLES);
        assert_close(onset(Id::AAC, &aac), ONSET);
    }

    #[test]
    fn after_a_jump_the_count_begins_anew() {
        let mut sent = opus(0);
        sent[10..].iter_mut().for_each(|(at, _)| *at += 480_000);
        let aac = aac(&sent);
        assert!(aac.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_close(onset(Id::AAC, &aac), 480_000 + ONSET);
    }

    #[test]
    fn what_is_dated_back_a_little_is_heard_once() {
        let mut sent = opus(0);
        sent[10..].iter_mut().for_each(|(at, _)| *at -= 4_800);
        let aac = aac(&sent);
        assert_steps(&aac, AAC_SAMPLES);
        assert_close(onset(Id::AAC, &aac), ONSET - 4_800);
    }

    #[test]
    fn rubbish_is_left_out_and_the_sound_goes_on_behind_it() {
        let mut sent = opus(0);
        // Code 3 without a frame, and a byte too few for the length that is said.
        for (n, (_, packet)) in sent[5..15].iter_mut().enumerate() {
            *packet = if n % 2 == 0 { vec![0xff, 0] } else { vec![0xfe, 250] };
        }
        let aac = aac(&sent);
        assert_steps(&aac, AAC_SAMPLES);
        assert_close(onset(Id::AAC, &aac), ONSET);
    }
}
