//! Streams to record: as encoders send them, in all variety.

use afterlive_media::codec::in_band::ParameterSets;
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{Fragment, Recording, RecordingWriter, SampleIndex};
use bytes::Bytes;
use proptest::prelude::*;

pub fn video(size: u16) -> TrackConfig {
    let (avcc, width, height): (&[u8], _, _) = match size {
        180 => (include_bytes!("../data/x264-320x180.avcc"), 320, 180),
        _ => (include_bytes!("../data/x264-640x360.avcc"), 640, 360),
    };
    TrackConfig { codec: CodecConfig::H264 { avcc: Bytes::from_static(avcc), width, height }, timescale: 1_000 }
}

/// A frame as the file has it, of a track whose configuration does not change: keyframes of H.264 bring theirs.
pub fn as_stored(track: &TrackConfig, frame: &Frame) -> Bytes {
    match ParameterSets::of(&track.codec) {
        Some(sets) if frame.keyframe && sets.are_h264() => sets.put_into(&frame.data),
        _ => frame.data.clone(),
    }
}

pub fn audio(sample_rate: u32) -> TrackConfig {
    let asc: &[u8] = if sample_rate == 44_100 { &[0x12, 0x10] } else { &[0x11, 0x90] };
    TrackConfig { codec: CodecConfig::Aac { asc: Bytes::from_static(asc), sample_rate, channels: 2 }, timescale: sample_rate }
}

/// x265 and SVT-AV1, both 320×180.
pub fn hevc() -> TrackConfig {
    let hvcc = Bytes::from_static(include_bytes!("../data/x265-320x180.hvcc"));
    TrackConfig { codec: CodecConfig::Hevc { hvcc, width: 320, height: 180 }, timescale: 1_000 }
}

pub fn av1() -> TrackConfig {
    let av1c = Bytes::from_static(&[0x81, 0, 0x0c, 0, 0x0a, 0x0b, 2, 0, 0, 5, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 2]);
    TrackConfig { codec: CodecConfig::Av1 { av1c, width: 320, height: 180 }, timescale: 1_000 }
}

pub const PRE_SKIP: u16 = 312;

pub fn opus() -> TrackConfig {
    let dops = Bytes::from_static(&[0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0]);
    TrackConfig { codec: CodecConfig::Opus { dops, channels: 2, pre_skip: PRE_SKIP }, timescale: 48_000 }
}

pub fn frame(kind: TrackKind, dts: i64, pts_offset: i32, keyframe: bool, data: impl Into<Bytes>) -> Frame {
    Frame { kind, dts, pts_offset, keyframe, data: data.into() }
}

/// What happens to a recording.
#[derive(Clone, Debug)]
pub enum Event {
    Frame(Frame),
    Cut,
    Configure(TrackConfig),
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub tracks: Vec<TrackConfig>,
    pub events: Vec<Event>,
    pub reserve_bytes: u32,
}

impl Stream {
    pub fn frames(&self, kind: TrackKind) -> Vec<&Frame> {
        let frames = self.events.iter().filter_map(|event| if let Event::Frame(frame) = event { Some(frame) } else { None });
        frames.filter(|frame| frame.kind == kind).collect()
    }
}

/// A file and what it was after each fragment.
pub struct Recorded {
    pub file: Vec<u8>,
    /// Length and index after the head and after each fragment.
    pub instants: Vec<(usize, SampleIndex)>,
    pub recording: Recording,
}

pub fn append(file: &mut Vec<u8>, fragment: &Fragment) {
    assert_eq!(fragment.offset, file.len() as u64);
    fragment.parts.iter().for_each(|part| file.extend_from_slice(part));
    assert_eq!(fragment.offset + fragment.length, file.len() as u64);
}

/// Records the whole stream. Configurations for which the reserve has no room are left out.
pub fn record(stream: &Stream) -> Recorded {
    let (writer, head) = RecordingWriter::new(&stream.tracks, stream.reserve_bytes);
    record_by(writer, head.to_vec(), stream)
}

/// Records the whole stream behind what the file has already.
pub fn record_by(mut writer: RecordingWriter, mut file: Vec<u8>, stream: &Stream) -> Recorded {
    let mut instants = vec![(file.len(), writer.index().clone())];
    for event in &stream.events {
        match event {
            Event::Frame(frame) => writer.push(frame.clone()).unwrap(),
            Event::Cut => {
                if let Some(fragment) = writer.cut() {
                    append(&mut file, &fragment);
                    instants.push((file.len(), writer.index().clone()));
                }
            }
            Event::Configure(config) => {
                writer.configure(config).unwrap_or_default().iter().for_each(|step| step.apply(&mut file));
            }
        }
    }
    let (last, recording) = writer.finish();
    if let Some(fragment) = last {
        append(&mut file, &fragment);
        instants.push((file.len(), recording.index.clone()));
    }
    assert_eq!(recording.good_length, file.len() as u64);
    Recorded { file, instants, recording }
}

/// A video frame: milliseconds since the one before, presentation offset, whether it is a keyframe, bytes.
type VideoFrame = (i64, i32, bool, usize);

prop_compose! {
    fn video_frames(most: usize)(
        interval in prop_oneof![Just(33_i64), Just(40), 1_i64..200],
        depth in 0_i32..4,
        negative in prop::bool::weighted(0.2),
        gop in 1_usize..30,
        jitter in proptest::collection::vec(0_i64..3, most),
        offsets in proptest::collection::vec(0_i32..4, most),
        sizes in proptest::collection::vec(prop_oneof![0_usize..40, 100_usize..600], most),
        count in 0..=most,
    ) -> Vec<VideoFrame> {
        (0..count).map(|at| {
            let offset = (offsets[at].min(depth) - if negative { depth / 2 } else { 0 }) * interval as i32;
            let keyframe = at % gop == 0;
            (interval + jitter[at], offset, keyframe, sizes[at])
        }).collect()
    }
}

prop_compose! {
    /// Streams with times that increase, as RTMP gives them: video in milliseconds, audio counted in samples from a millisecond.
    pub fn streams()(
        which in 0..4,
        video_frames in video_frames(80),
        audio_sizes in proptest::collection::vec(1_usize..60, 0..120),
        audio_gaps in proptest::collection::vec(prop::bool::weighted(0.03), 120),
        video_track in prop::sample::select(vec![video(360), hevc(), av1()]),
        audio_track in prop::sample::select(vec![audio(44_100), audio(48_000), opus()]),
        start_ms in prop_oneof![Just(0_i64), 0_i64..10_000_000],
        audio_lead_ms in prop_oneof![Just(0_i64), -300_i64..300],
        cut_every in 1_usize..40,
        reconfigure_at in proptest::collection::vec(1_usize..150, 0..3),
        reserve_bytes in prop_oneof![8_u32..100, 1_000_u32..8_000, Just(100_000_u32)],
    ) -> Stream {
        let (with_video, with_audio) = (which != 1, which != 2);
        let mut timed: Vec<(i64, Frame)> = Vec::new();
        let mut number = 0_u32;
        let mut data = |size: usize| {
            number += 1;
            let mut data = number.to_be_bytes().to_vec();
            data.resize(size.max(4), number as u8);
            data
        };
        if with_video {
            let mut dts = start_ms;
            for (interval, offset, keyframe, size) in video_frames {
                timed.push((dts, frame(TrackKind::Video, dts, offset, keyframe, data(size))));
                dts += interval;
            }
        }
        if with_audio {
            let rate = i64::from(audio_track.timescale);
            let mut dts = ((start_ms + audio_lead_ms).max(0) * rate + 500) / 1_000;
            for (size, gap) in audio_sizes.into_iter().zip(audio_gaps) {
                timed.push((dts * 1_000 / rate, frame(TrackKind::Audio, dts, 0, true, data(size))));
                dts += if gap { 5_000 } else { 1_024 };
            }
        }
        timed.sort_by_key(|(at_ms, _)| *at_ms);
        let mut events = Vec::new();
        for (at, (_, frame)) in timed.into_iter().enumerate() {
            if with_video && reconfigure_at.contains(&at) {
                events.push(Event::Configure(video(if at % 2 == 0 { 180 } else { 360 })));
            }
            events.push(Event::Frame(frame));
            if at % cut_every == cut_every - 1 {
                events.push(Event::Cut);
            }
        }
        let tracks = with_video.then_some(video_track).into_iter().chain(with_audio.then_some(audio_track)).collect();
        Stream { tracks, events, reserve_bytes }
    }
}

/// Ten hours of pictures of 10,000 bytes, 30 a second with B-frames, and sound, cut each second.
pub fn ten_hours() -> Recording {
    let (mut writer, _) = RecordingWriter::new(&[video(360), audio(48_000)], 8);
    let (picture, sound) = (Bytes::from(vec![0; 10_000]), Bytes::from(vec![0; 340]));
    for second in 0..36_000 {
        for at in 0..30 {
            let dts = second * 1_000 + at * 1_000 / 30;
            writer.push(frame(TrackKind::Video, dts, [67, 0, 33][at as usize % 3], at == 0, picture.clone())).unwrap();
        }
        for at in 0..47 {
            writer.push(frame(TrackKind::Audio, second * 48_000 + at * 1_024, 0, true, sound.clone())).unwrap();
        }
        writer.cut();
    }
    writer.finish().1
}
