//! Sound for tests, made here.

use afterlive_media::codec::aac::adts;
use video_rs::ffmpeg::codec::{self, encoder};
use video_rs::ffmpeg::format::sample::{Sample, Type};
use video_rs::ffmpeg::util::frame::Audio;
use video_rs::ffmpeg::{ChannelLayout, Packet};

use super::decoder::Coding;
use super::transcoder::Transcoder;
use super::{Codec, SAMPLE_RATE};

const PACKET_SAMPLES: i64 = 960;

/// Packets and their times.
pub(super) type Packets = Vec<(i64, Vec<u8>)>;

/// Two seconds in Opus, dated from a time on; `sample` gives both channels, by the number of the sample.
pub(super) fn opus(from: i64, sample: impl Fn(i64) -> [f32; 2]) -> Packets {
    let codec = encoder::find_by_name("libopus").unwrap();
    let mut encoder = codec::Context::new_with_codec(codec).encoder().audio().unwrap();
    encoder.set_rate(SAMPLE_RATE as i32);
    encoder.set_format(Sample::F32(Type::Packed));
    encoder.set_channel_layout(ChannelLayout::STEREO);
    encoder.set_channels(2);
    encoder.set_bit_rate(256_000);
    encoder.set_time_base((1, SAMPLE_RATE as i32));
    let mut encoder = encoder.open_as(codec).unwrap();
    let mut packets = Vec::new();
    for first in (0..100).map(|n| n * PACKET_SAMPLES) {
        let mut frame = Audio::new(Sample::F32(Type::Packed), PACKET_SAMPLES as usize, ChannelLayout::STEREO);
        frame.set_rate(SAMPLE_RATE);
        frame.set_pts(Some(from + first));
        for (n, place) in (first..first + PACKET_SAMPLES).zip(frame.data_mut(0).chunks_exact_mut(8)) {
            place.copy_from_slice(&sample(n).map(f32::to_ne_bytes).concat());
        }
        encoder.send_frame(&frame).unwrap();
        let mut packet = Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            packets.push((packet.pts().unwrap(), packet.data().unwrap().to_vec()));
        }
    }
    packets
}

/// What becomes of it as AAC, behind ADTS headers.
pub(super) fn aac(opus: &[(i64, Vec<u8>)]) -> Packets {
    let mut transcoder = Transcoder::new(Codec::Aac).unwrap();
    let packets = opus.iter().flat_map(|(at, packet)| transcoder.put(*at, Coding::Opus, packet).unwrap());
    packets.map(|(at, packet)| (at, [&adts(&[0x11, 0x90], packet.len()).unwrap()[..], &packet].concat())).collect()
}
