//! From message payloads to track configurations and frames.

use bytes::Bytes;

use crate::codec::nal::Contents;
use crate::codec::{CodecError, aac::AacConfig, av1, av1::Av1Config, avc, avc::AvcConfig, hevc, hevc::HevcConfig, opus};
use crate::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use crate::time::{AudioClock, MILLISECONDS};

use super::header::{self, AudioCodec, Tag, VideoCodec};

/// The longest decoder configuration taken. Encoders send some hundred bytes, and x265 two thousand more of how it was set; a file's head has
/// room for as many of this length as a track may go through.
pub const MAX_CONFIG_BYTES: usize = 16 << 10;

/// A picture that is to be shown further from when it is decoded is damaged, and is shown then: by its 24 bits it could make a recording of seconds one of
/// hours. Encoders reorder a few pictures.
pub const MAX_PTS_OFFSET_MS: u32 = 10_000;

/// What a message payload was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// A decoder configuration that is new or differs from the track's last one.
    Config(TrackConfig),
    Frame(Frame),
    Nothing(Ignored),
}

/// Why a payload holds nothing to store or deliver. None of these is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// No bytes, or no media behind the header.
    Empty,
    /// The configuration that the track has already.
    SameConfig,
    /// A frame before its track's first configuration: nobody could decode it.
    BeforeConfig,
    /// SEI, delimiters or parameter sets without a picture.
    NoPicture,
    /// A seek command, metadata, the end of a sequence: something for a player.
    Signal,
    /// Of a second track of its kind, or a third: the first is taken.
    OtherTrack,
}

impl Ignored {
    /// In words for the log.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::SameConfig => "a configuration repeated",
            Self::BeforeConfig => "a frame before its configuration",
            Self::NoPicture => "an access unit without a picture",
            Self::Signal => "a signal for players",
            Self::OtherTrack => "of another track than the first",
        }
    }
}

/// Why a payload cannot be taken. The text is for the encoder's operator.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlvError {
    #[error("video codec {0} is not supported; use H.264, HEVC or AV1")]
    VideoCodec(String),
    #[error("audio codec {0} is not supported; use AAC or Opus")]
    AudioCodec(String),
    #[error("the {codec} configuration cannot be used: {cause}")]
    Config { codec: &'static str, cause: CodecError },
    #[error("a {0} message is damaged")]
    Damaged(&'static str),
}

impl FlvError {
    /// Whether the stream is right but not of a kind that is handled: no later message will do better.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::VideoCodec(_) | Self::AudioCodec(_) => true,
            Self::Config { cause, .. } => matches!(cause, CodecError::Unsupported(_)),
            Self::Damaged(_) => false,
        }
    }
}

/// Reads the messages of one publish. Keeps what a frame's reading depends on: the configurations, and the audio clock.
///
/// Timestamps are milliseconds since any origin, already unwrapped to 64 bits. Video keeps them, at a timescale of 1000. Audio gets its sampling
/// frequency as timescale, and times that [`AudioClock`] has freed from the rounding.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: Option<Video>,
    audio: Option<Audio>,
}

#[derive(Debug)]
struct Video {
    codec: VideoCodec,
    config: CodecConfig,
    framing: Framing,
}

/// What must be known to look into a frame.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Avc { nal_length_bytes: usize },
    Hevc { nal_length_bytes: usize },
    Av1 { still: bool },
}

#[derive(Debug)]
struct Audio {
    codec: AudioCodec,
    config: CodecConfig,
    /// Of each frame; `None` where each says it itself.
    frame_samples: Option<u32>,
    clock: AudioClock,
}

impl Demuxer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the payload of a video message.
    ///
    /// # Errors
    /// Where the codec is none of H.264, HEVC and AV1 or the bytes are not what they should be. The state is as before; whether to go on is the
    /// caller's to say.
    pub fn video(&mut self, timestamp_ms: i64, payload: &Bytes) -> Result<Packet, FlvError> {
        match header::video(payload)? {
            Tag::Nothing(why) => Ok(Packet::Nothing(why)),
            Tag::Config { codec, body } => self.video_config(codec, &payload.slice(body)),
            Tag::Frame { codec, pts_offset, body } => self.video_frame(codec, timestamp_ms, pts_offset, payload.slice(body)),
        }
    }

    fn video_config(&mut self, codec: VideoCodec, record: &Bytes) -> Result<Packet, FlvError> {
        if record.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        let (config, framing) = read_video_config(codec, record)?;
        if self.video.as_ref().is_some_and(|video| video.config == config) {
            return Ok(Packet::Nothing(Ignored::SameConfig));
        }
        self.video = Some(Video { codec, config: config.clone(), framing });
        Ok(Packet::Config(TrackConfig { codec: config, timescale: MILLISECONDS }))
    }

    fn video_frame(&mut self, codec: VideoCodec, dts: i64, pts_offset: i32, mut data: Bytes) -> Result<Packet, FlvError> {
        let pts_offset = if pts_offset.unsigned_abs() > MAX_PTS_OFFSET_MS { 0 } else { pts_offset };
        let Some(video) = self.video.as_ref().filter(|video| video.codec == codec) else {
            return Ok(Packet::Nothing(Ignored::BeforeConfig));
        };
        if data.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        // The tag's own keyframe flag is not believed: encoders also set it on pictures that need earlier ones.
        let contents = video.framing.contents(&data).map_err(|_| FlvError::Damaged("video"))?;
        if !contents.picture {
            return Ok(Packet::Nothing(Ignored::NoPicture));
        }
        if codec == VideoCodec::Av1 {
            data = data.slice(av1::delimiter_bytes(&data)..);
        }
        Ok(Packet::Frame(Frame { kind: TrackKind::Video, dts, pts_offset, keyframe: contents.keyframe, data }))
    }

    /// Reads the payload of an audio message.
    ///
    /// # Errors
    /// As [`Demuxer::video`], with AAC and Opus.
    pub fn audio(&mut self, timestamp_ms: i64, payload: &Bytes) -> Result<Packet, FlvError> {
        match header::audio(payload)? {
            Tag::Nothing(why) => Ok(Packet::Nothing(why)),
            Tag::Config { codec, body } => self.audio_config(codec, &payload.slice(body)),
            Tag::Frame { codec, body, .. } => self.audio_frame(codec, timestamp_ms, payload.slice(body)),
        }
    }

    fn audio_config(&mut self, codec: AudioCodec, record: &Bytes) -> Result<Packet, FlvError> {
        if record.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        let (config, sample_rate, frame_samples) = read_audio_config(codec, record)?;
        if self.audio.as_ref().is_some_and(|audio| audio.config == config) {
            return Ok(Packet::Nothing(Ignored::SameConfig));
        }
        self.audio = Some(Audio { codec, config: config.clone(), frame_samples, clock: AudioClock::new(sample_rate) });
        Ok(Packet::Config(TrackConfig { codec: config, timescale: sample_rate }))
    }

    fn audio_frame(&mut self, codec: AudioCodec, timestamp_ms: i64, data: Bytes) -> Result<Packet, FlvError> {
        let Some(audio) = self.audio.as_mut().filter(|audio| audio.codec == codec) else {
            return Ok(Packet::Nothing(Ignored::BeforeConfig));
        };
        if data.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        let samples = audio.frame_samples.or_else(|| opus::packet_samples(&data)).ok_or(FlvError::Damaged("audio"))?;
        let dts = audio.clock.dts(timestamp_ms, samples);
        Ok(Packet::Frame(Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data }))
    }
}

impl Framing {
    fn contents(self, frame: &[u8]) -> Result<Contents, CodecError> {
        match self {
            Self::Avc { nal_length_bytes } => avc::contents(frame, nal_length_bytes),
            Self::Hevc { nal_length_bytes } => hevc::contents(frame, nal_length_bytes),
            Self::Av1 { still } => av1::contents(frame, still),
        }
    }
}

/// The record is a part of a larger message; what is kept of it is a copy, which lets go of that.
fn read_video_config(codec: VideoCodec, record: &[u8]) -> Result<(CodecConfig, Framing), FlvError> {
    let name = match codec {
        VideoCodec::H264 => "H.264",
        VideoCodec::Hevc => "HEVC",
        VideoCodec::Av1 => "AV1",
    };
    let refused = |cause| FlvError::Config { codec: name, cause };
    let kept = kept(record).map_err(refused)?;
    Ok(match codec {
        VideoCodec::H264 => {
            let AvcConfig { nal_length_bytes, picture, .. } = AvcConfig::parse(record).map_err(refused)?;
            let config = CodecConfig::H264 { avcc: kept, width: picture.width, height: picture.height };
            (config, Framing::Avc { nal_length_bytes })
        }
        VideoCodec::Hevc => {
            let HevcConfig { nal_length_bytes, picture } = HevcConfig::parse(record).map_err(refused)?;
            let config = CodecConfig::Hevc { hvcc: kept, width: picture.width, height: picture.height };
            (config, Framing::Hevc { nal_length_bytes })
        }
        VideoCodec::Av1 => {
            let Av1Config { picture, still } = Av1Config::parse(record).map_err(refused)?;
            let config = CodecConfig::Av1 { av1c: kept, width: picture.width, height: picture.height };
            (config, Framing::Av1 { still })
        }
    })
}

/// With the sampling frequency, and the samples of each frame where all have as many.
fn read_audio_config(codec: AudioCodec, record: &[u8]) -> Result<(CodecConfig, u32, Option<u32>), FlvError> {
    match codec {
        AudioCodec::Aac => {
            let refused = |cause| FlvError::Config { codec: "AAC", cause };
            let AacConfig { sample_rate, channels, frame_samples, .. } = AacConfig::parse(record).map_err(refused)?;
            let asc = kept(record).map_err(refused)?;
            Ok((CodecConfig::Aac { asc, sample_rate, channels }, sample_rate, Some(frame_samples)))
        }
        AudioCodec::Opus => {
            let refused = |cause| FlvError::Config { codec: "Opus", cause };
            let dops = opus::dops(record).map_err(refused)?;
            let opus::OpusConfig { channels, pre_skip } = opus::OpusConfig::parse(&dops).map_err(refused)?;
            Ok((CodecConfig::Opus { dops, channels, pre_skip }, opus::SAMPLE_RATE, None))
        }
    }
}

fn kept(record: &[u8]) -> Result<Bytes, CodecError> {
    if record.len() > MAX_CONFIG_BYTES {
        return Err(CodecError::OutOfRange("the length of the configuration"));
    }
    Ok(Bytes::copy_from_slice(record))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// x264, Constrained Baseline.
    const AVCC: &[u8] = include_bytes!("../../tests/data/x264-640x360.avcc");

    fn message(parts: &[&[u8]]) -> Bytes {
        Bytes::from(parts.concat())
    }

    fn with_configs() -> Demuxer {
        let mut demuxer = Demuxer::new();
        assert!(matches!(demuxer.video(0, &message(&[&[0x17, 0, 0, 0, 0], AVCC])), Ok(Packet::Config(_))));
        assert!(matches!(demuxer.audio(0, &message(&[&[0xaf, 0, 0x12, 0x10]])), Ok(Packet::Config(_))));
        demuxer
    }

    const SLICE: &[u8] = &[0, 0, 0, 2, 0x41, 0x9a];
    const IDR: &[u8] = &[0, 0, 0, 2, 0x65, 0x88];

    #[test]
    fn configurations_become_tracks() {
        let mut demuxer = Demuxer::new();
        let Ok(Packet::Config(video)) = demuxer.video(0, &message(&[&[0x17, 0, 0, 0, 0], AVCC])) else { panic!() };
        assert_eq!(video.timescale, 1_000);
        assert_eq!(video.codec, CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 });
        let Ok(Packet::Config(audio)) = demuxer.audio(0, &message(&[&[0xaf, 0, 0x12, 0x10]])) else { panic!() };
        assert_eq!(audio.timescale, 44_100);
        assert_eq!(audio.codec, CodecConfig::Aac { asc: Bytes::from_static(&[0x12, 0x10]), sample_rate: 44_100, channels: 2 });
    }

    #[test]
    fn frames_keep_their_times_and_bytes() {
        let mut demuxer = with_configs();
        let payload = message(&[&[0x27, 1, 0, 0, 80], SLICE]);
        let Ok(Packet::Frame(frame)) = demuxer.video(1_040, &payload) else { panic!() };
        assert_eq!((frame.dts, frame.pts_offset, frame.keyframe, &frame.data[..]), (1_040, 80, false, SLICE));
        assert_eq!(frame.data.as_ptr(), payload[5..].as_ptr(), "the media is not copied");
        let Ok(Packet::Frame(frame)) = demuxer.video(0, &message(&[&[0x17, 1, 0xff, 0xff, 0xd8], IDR])) else { panic!() };
        assert_eq!((frame.pts_offset, frame.keyframe), (-40, true));
        let Ok(Packet::Frame(frame)) = demuxer.video(7, &message(&[&[0x27, 1, 0x7f, 0xff, 0xff], SLICE])) else { panic!() };
        assert_eq!((frame.dts, frame.pts_offset), (7, 0), "hours from when it is decoded");
        let Ok(Packet::Frame(frame)) = demuxer.audio(23, &message(&[&[0xaf, 1, 0x21, 0x10]])) else { panic!() };
        assert_eq!((frame.dts, frame.keyframe, &frame.data[..]), (1_014, true, &[0x21, 0x10][..]));
        let Ok(Packet::Frame(frame)) = demuxer.audio(46, &message(&[&[0xaf, 1, 0x21]])) else { panic!() };
        assert_eq!(frame.dts, 1_014 + 1_024);
    }

    #[test]
    fn a_flag_alone_makes_no_keyframe() {
        let Ok(Packet::Frame(frame)) = with_configs().video(0, &message(&[&[0x17, 1, 0, 0, 0], SLICE])) else { panic!() };
        assert!(!frame.keyframe);
    }

    #[test]
    fn what_holds_no_media_is_passed_over() {
        let ignored = |packet: Result<Packet, FlvError>| match packet {
            Ok(Packet::Nothing(why)) => why,
            other => panic!("{other:?}"),
        };
        let mut demuxer = Demuxer::new();
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x17, 1, 0, 0, 0], IDR]))), Ignored::BeforeConfig);
        assert_eq!(ignored(demuxer.audio(0, &message(&[&[0xaf, 1, 0x21]]))), Ignored::BeforeConfig);
        let mut demuxer = with_configs();
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x17, 0, 0, 0, 0], AVCC]))), Ignored::SameConfig);
        assert_eq!(ignored(demuxer.audio(0, &message(&[&[0xaf, 0, 0x12, 0x10]]))), Ignored::SameConfig);
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x27, 1, 0, 0, 0], &[0, 0, 0, 1, 6]]))), Ignored::NoPicture);
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x27, 1, 0, 0, 0]]))), Ignored::Empty);
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x17, 2, 0, 0, 0]]))), Ignored::Signal);
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x57, 0]]))), Ignored::Signal);
        assert_eq!(ignored(demuxer.video(0, &message(&[&[0x94, b'h', b'v', b'c', b'1']]))), Ignored::Signal);
        assert_eq!(ignored(demuxer.video(0, &Bytes::new())), Ignored::Empty);
        assert_eq!(ignored(demuxer.audio(0, &Bytes::new())), Ignored::Empty);
        assert_eq!(ignored(demuxer.audio(0, &message(&[&[0xaf, 1]]))), Ignored::Empty);
    }

    #[test]
    fn other_codecs_are_refused_by_name() {
        let mut demuxer = Demuxer::new();
        let mut refusal = |payload: &[u8], audio: bool| {
            let payload = Bytes::copy_from_slice(payload);
            let error = if audio { demuxer.audio(0, &payload) } else { demuxer.video(0, &payload) }.unwrap_err();
            assert!(error.is_unsupported());
            error.to_string()
        };
        let video = |name: &str| format!("video codec {name} is not supported; use H.264, HEVC or AV1");
        let audio = |name: &str| format!("audio codec {name} is not supported; use AAC or Opus");
        assert_eq!(refusal(b"\x90vp09\x01", false), video("VP9"));
        assert_eq!(refusal(b"\x1d\x00\0\0\0\x01", false), video("AV1 without Enhanced RTMP"));
        assert_eq!(refusal(b"\x22\x00", false), video("Sorenson H.263"));
        assert_eq!(refusal(b"\x90\x01yx1\x01", false), video(r"'\x01yx1'"));
        assert_eq!(refusal(b"\x96\x10vvc1\x00\0\0\0", false), video("VVC"));
        assert_eq!(refusal(b"\x90fLaC\x01", true), audio("FLAC"));
        assert_eq!(refusal(b"\x90.mp3\x01", true), audio("MP3"));
        assert_eq!(refusal(b"\x2f\xff", true), audio("MP3"));
        assert_eq!(refusal(b"\xbf\xff", true), audio("Speex"));
        assert!(refusal(b"\xaf\x00\xf9\x46\x40", true).contains("xHE-AAC"));
        assert!(refusal(b"\x90av01\x81\0\x0c\0", false).contains("without a sequence header"));
    }

    /// SVT-AV1, 320×180.
    const AV1C: &[u8] = &[0x81, 0, 0x0c, 0, 0x0a, 0x0b, 2, 0, 0, 5, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 2];
    /// x265, 320×180.
    const HVCC: &[u8] = include_bytes!("../../tests/data/x265-320x180.hvcc");

    #[test]
    fn hevc_comes_by_enhanced_rtmp_and_in_the_form_before_it() {
        for (start, frames) in [(&b"\x90hvc1"[..], &b"\xa1hvc1\x00\x00\x50"[..]), (&[0x1c, 0, 0, 0, 0], &[0x2c, 1, 0, 0, 80])] {
            let mut demuxer = Demuxer::new();
            let Ok(Packet::Config(track)) = demuxer.video(0, &message(&[start, HVCC])) else { panic!() };
            assert_eq!(track.codec, CodecConfig::Hevc { hvcc: Bytes::from_static(HVCC), width: 320, height: 180 });
            assert_eq!(demuxer.video(0, &message(&[start, HVCC])), Ok(Packet::Nothing(Ignored::SameConfig)));
            let cra = [0, 0, 0, 3, 42, 1, 0x80];
            let Ok(Packet::Frame(frame)) = demuxer.video(40, &message(&[frames, &cra])) else { panic!() };
            assert_eq!((frame.dts, frame.pts_offset, frame.keyframe, &frame.data[..]), (40, 80, true, &cra[..]));
            let trailing = [0, 0, 0, 3, 2, 1, 0x80];
            let Ok(Packet::Frame(frame)) = demuxer.video(80, &message(&[frames, &trailing])) else { panic!() };
            assert!(!frame.keyframe);
            let sei = message(&[frames, &[0, 0, 0, 3, 78, 1, 0x80]]);
            assert_eq!(demuxer.video(80, &sei), Ok(Packet::Nothing(Ignored::NoPicture)));
            assert_eq!(demuxer.video(80, &message(&[b"\xa3avc1", SLICE])), Ok(Packet::Nothing(Ignored::BeforeConfig)));
        }
    }

    #[test]
    fn av1_comes_without_composition_time_and_loses_its_delimiter() {
        let mut demuxer = Demuxer::new();
        let Ok(Packet::Config(track)) = demuxer.video(0, &message(&[b"\x90av01", AV1C])) else { panic!() };
        assert_eq!(track.codec, CodecConfig::Av1 { av1c: Bytes::from_static(AV1C), width: 320, height: 180 });
        for packet in [b"\xa1av01", b"\xa3av01"] {
            let payload = message(&[packet, &[0x12, 0, 0x32, 1, 0x10]]);
            let Ok(Packet::Frame(frame)) = demuxer.video(7, &payload) else { panic!() };
            let expected = (7, 0, true, &[0x32, 1, 0x10][..]);
            assert_eq!((frame.dts, frame.pts_offset, frame.keyframe, &frame.data[..]), expected);
            assert_eq!(frame.data.as_ptr(), payload[7..].as_ptr(), "the media is not copied");
        }
        assert_eq!(demuxer.video(7, &message(&[b"\xa1av01\x12\x00"])), Ok(Packet::Nothing(Ignored::NoPicture)));
        assert_eq!(demuxer.video(7, &message(&[b"\xa1av01\x32\x05\x10"])), Err(FlvError::Damaged("video")));
    }

    #[test]
    fn opus_packets_follow_each_other_by_the_samples_they_say() {
        let mut demuxer = Demuxer::new();
        let start = message(&[b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"]);
        let Ok(Packet::Config(track)) = demuxer.audio(0, &start) else { panic!() };
        let dops = Bytes::from_static(&[0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0]);
        assert_eq!(track, TrackConfig { codec: CodecConfig::Opus { dops, channels: 2, pre_skip: 312 }, timescale: 48_000 });
        let mut dts = |timestamp_ms: i64, toc: u8| match demuxer.audio(timestamp_ms, &message(&[b"\x91Opus", &[toc, 1]])) {
            Ok(Packet::Frame(frame)) => frame.dts,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [dts(1_000, 16 << 3), dts(1_002, 16 << 3), dts(1_005, 31 << 3), dts(1_025, 31 << 3)],
            [48_000, 48_120, 48_240, 49_200]
        );
        assert_eq!(demuxer.audio(0, &message(&[b"\x91Opus\x1b\x03"])), Err(FlvError::Damaged("audio")), "180 ms");
        assert_eq!(demuxer.audio(0, &message(&[b"\x94Opus\x01\x02"])), Ok(Packet::Nothing(Ignored::Signal)));
    }

    #[test]
    fn a_configuration_longer_than_any_encoder_s_is_refused() {
        let long = [AVCC, &vec![0; MAX_CONFIG_BYTES]].concat();
        let error = Demuxer::new().video(0, &message(&[&[0x17, 0, 0, 0, 0], &long])).unwrap_err();
        assert_eq!(error.to_string(), "the H.264 configuration cannot be used: the length of the configuration is out of range");
    }

    #[test]
    fn enhanced_headers_with_known_codecs_are_read() {
        let mut demuxer = Demuxer::new();
        assert!(matches!(demuxer.video(0, &message(&[b"\x90avc1", AVCC])), Ok(Packet::Config(_))));
        let Ok(Packet::Frame(frame)) = demuxer.video(7, &message(&[b"\x91avc1\x00\x00\x14", IDR])) else { panic!() };
        assert_eq!((frame.dts, frame.pts_offset, &frame.data[..]), (7, 20, IDR));
        let Ok(Packet::Frame(frame)) = demuxer.video(8, &message(&[b"\xa3avc1", SLICE])) else { panic!() };
        assert_eq!((frame.dts, frame.pts_offset, &frame.data[..]), (8, 0, SLICE));
        assert!(matches!(demuxer.audio(0, &message(&[b"\x90mp4a\x12\x10"])), Ok(Packet::Config(_))));
        assert!(matches!(demuxer.audio(0, &message(&[b"\x91mp4a\x21"])), Ok(Packet::Frame(_))));
    }

    #[test]
    fn damaged_messages_leave_the_state_as_it_was() {
        let mut demuxer = with_configs();
        assert_eq!(demuxer.video(0, &message(&[&[0x17, 1, 0, 0]])), Err(FlvError::Damaged("video")));
        assert_eq!(demuxer.video(0, &message(&[&[0x17, 1, 0, 0, 0], &[0, 0, 0, 9, 0x65]])), Err(FlvError::Damaged("video")));
        assert!(matches!(demuxer.video(0, &message(&[&[0x17, 0, 0, 0, 0], &[1, 2, 3]])), Err(FlvError::Config { .. })));
        assert!(matches!(demuxer.video(0, &message(&[&[0x17, 1, 0, 0, 0], IDR])), Ok(Packet::Frame(_))));
    }

    proptest! {
        #[test]
        fn arbitrary_payloads_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200), timestamp_ms: i64, configured: bool) {
            let mut demuxer = if configured { with_configs() } else { Demuxer::new() };
            let payload = Bytes::from(payload);
            let _ = demuxer.video(timestamp_ms, &payload);
            let _ = demuxer.audio(timestamp_ms, &payload);
            let _ = demuxer.audio(timestamp_ms.wrapping_add(1), &payload);
        }
    }
}
