//! One stream's sound from AAC to Opus, frame by frame. Runs in the process of the `worker`; blocks.

use std::collections::VecDeque;

use video_rs::ffmpeg::codec::{self, Id, decoder, encoder};
use video_rs::ffmpeg::format::sample::{Sample, Type};
use video_rs::ffmpeg::software::resampling::Context as Resampler;
use video_rs::ffmpeg::util::frame::Audio;
use video_rs::ffmpeg::{self, ChannelLayout, Packet};

use super::SAMPLE_RATE;

/// 20 ms, as browsers have it.
const PACKET_SAMPLES: usize = 960;
const CHANNELS: usize = 2;
const BIT_RATE: usize = 128_000;
/// Times that are further from where the sound before ends are a gap or a jump: what waits is dropped, and the count begins anew.
const LARGEST_DRIFT: u64 = 1_920;
/// Decoded samples that may wait; a packet has some thousand.
const MAX_WAITING_SAMPLES: usize = 48_000;

pub(super) struct Transcoder {
    decoder: decoder::Audio,
    encoder: encoder::audio::Encoder,
    /// For sound of this format, layout and rate.
    resampler: Option<(Sample, ChannelLayout, u32, Resampler)>,
    /// Both channels of each sample.
    waiting: VecDeque<[f32; CHANNELS]>,
    /// The time of the first that waits.
    next: Option<i64>,
}

impl Transcoder {
    pub(super) fn new() -> Result<Self, ffmpeg::Error> {
        let aac = decoder::find(Id::AAC).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let decoder = codec::Context::new_with_codec(aac).decoder().open_as(aac)?.audio()?;
        let opus = encoder::find_by_name("libopus").ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut encoder = codec::Context::new_with_codec(opus).encoder().audio()?;
        encoder.set_rate(SAMPLE_RATE as i32);
        encoder.set_format(Sample::F32(Type::Packed));
        encoder.set_channel_layout(ChannelLayout::STEREO);
        encoder.set_channels(CHANNELS as i32);
        encoder.set_bit_rate(BIT_RATE);
        encoder.set_time_base((1, SAMPLE_RATE as i32));
        let encoder = encoder.open_as(opus)?;
        Ok(Self { decoder, encoder, resampler: None, waiting: VecDeque::new(), next: None })
    }

    /// Takes a frame of AAC behind an ADTS header; the Opus packets that are whole with it, each with its time. What cannot be decoded is silence.
    pub(super) fn put(&mut self, at: i64, adts: &[u8]) -> Result<Vec<(i64, Vec<u8>)>, ffmpeg::Error> {
        let expected = self.next.map(|next| next + self.waiting.len() as i64);
        if expected.is_none_or(|expected| expected.abs_diff(at) > LARGEST_DRIFT) {
            self.waiting.clear();
            self.next = Some(at);
        }
        if self.decoder.send_packet(&Packet::copy(adts)).is_ok() {
            let mut frame = Audio::empty();
            while self.decoder.receive_frame(&mut frame).is_ok() {
                self.resample(&frame)?;
            }
        }
        let mut packets = Vec::new();
        while self.waiting.len() >= PACKET_SAMPLES {
            let at = self.next.unwrap_or(at);
            self.encode(at)?;
            self.next = Some(at + PACKET_SAMPLES as i64);
            let mut packet = Packet::empty();
            while self.encoder.receive_packet(&mut packet).is_ok() {
                // The encoder says when a packet is heard; the browser does not wait for its look-ahead.
                packets.push((packet.pts().unwrap_or(at), packet.data().unwrap_or_default().to_vec()));
            }
        }
        Ok(packets)
    }

    fn resample(&mut self, frame: &Audio) -> Result<(), ffmpeg::Error> {
        let layout = match frame.channel_layout() {
            layout if layout.is_empty() => ChannelLayout::default(frame.channels().into()),
            layout => layout,
        };
        let is = (frame.format(), layout, frame.rate());
        if self.resampler.as_ref().is_none_or(|(format, layout, rate, _)| (*format, *layout, *rate) != is) {
            let resampler = Resampler::get(is.0, is.1, is.2, Sample::F32(Type::Planar), ChannelLayout::STEREO, SAMPLE_RATE)?;
            self.resampler = Some((is.0, is.1, is.2, resampler));
        }
        let Some((.., resampler)) = &mut self.resampler else { return Ok(()) };
        // Room for a frame at the highest ratio of rates.
        let most = frame.samples() * SAMPLE_RATE as usize / (frame.rate().max(1) as usize) + PACKET_SAMPLES;
        let mut out = Audio::new(Sample::F32(Type::Planar), most, ChannelLayout::STEREO);
        resampler.run(frame, &mut out)?;
        if out.planes() < CHANNELS || self.waiting.len() > MAX_WAITING_SAMPLES {
            return Ok(());
        }
        let samples = out.plane::<f32>(0).iter().zip(out.plane::<f32>(1)).map(|(left, right)| [*left, *right]);
        self.waiting.extend(samples);
        Ok(())
    }

    fn encode(&mut self, at: i64) -> Result<(), ffmpeg::Error> {
        let mut frame = Audio::new(Sample::F32(Type::Packed), PACKET_SAMPLES, ChannelLayout::STEREO);
        frame.set_rate(SAMPLE_RATE);
        frame.set_pts(Some(at));
        let samples = self.waiting.drain(..PACKET_SAMPLES).flatten();
        for (place, sample) in frame.data_mut(0).chunks_exact_mut(size_of::<f32>()).zip(samples) {
            place.copy_from_slice(&sample.to_ne_bytes());
        }
        self.encoder.send_frame(&frame)
    }
}
