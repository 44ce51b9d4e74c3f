//! From message payloads to track configurations and frames.

use bytes::Bytes;

use crate::codec::{CodecError, aac::AacConfig, avc, avc::AvcConfig};
use crate::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use crate::time::{AudioClock, MILLISECONDS};

use super::{CODEC_AVC, SOUND_AAC, SOUND_EX_HEADER, frame_type, packet_type};

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
}

/// Why a payload cannot be taken. The text is for the encoder's operator.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlvError {
    #[error("video codec {0} is not supported yet; use H.264")]
    VideoCodec(String),
    #[error("audio codec {0} is not supported yet; use AAC")]
    AudioCodec(String),
    #[error("{0} is not supported yet; send one H.264 video and one AAC audio track")]
    Extension(&'static str),
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
            Self::VideoCodec(_) | Self::AudioCodec(_) | Self::Extension(_) => true,
            Self::Config { cause, .. } => matches!(cause, CodecError::Unsupported(_)),
            Self::Damaged(_) => false,
        }
    }
}

/// Reads the messages of one publish. Keeps what a frame's reading depends on: the NAL length size and the audio clock.
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
    avcc: Bytes,
    nal_length_bytes: usize,
}

#[derive(Debug)]
struct Audio {
    asc: Bytes,
    frame_samples: u32,
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
    /// Where the codec is not H.264 or the bytes are not what they should be. The state is as before; whether to go on is the caller's to say.
    pub fn video(&mut self, timestamp_ms: i64, payload: &Bytes) -> Result<Packet, FlvError> {
        let Some(&first) = payload.first() else { return Ok(Packet::Nothing(Ignored::Empty)) };
        let header = if first & 0x80 == 0 { VideoHeader::legacy(payload) } else { VideoHeader::enhanced(payload) }?;
        match header {
            VideoHeader::Signal => Ok(Packet::Nothing(Ignored::Signal)),
            VideoHeader::Config { length } => self.video_config(payload.slice(length..)),
            VideoHeader::Frame { length, pts_offset } => self.video_frame(timestamp_ms, pts_offset, payload.slice(length..)),
        }
    }

    fn video_config(&mut self, avcc: Bytes) -> Result<Packet, FlvError> {
        if avcc.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        if self.video.as_ref().is_some_and(|video| video.avcc == avcc) {
            return Ok(Packet::Nothing(Ignored::SameConfig));
        }
        let config = AvcConfig::parse(&avcc).map_err(|cause| FlvError::Config { codec: "H.264", cause })?;
        // The payload is a part of a larger message; a copy lets go of it.
        let avcc = Bytes::copy_from_slice(&avcc);
        self.video = Some(Video { avcc: avcc.clone(), nal_length_bytes: config.nal_length_bytes });
        let codec = CodecConfig::H264 { avcc, width: config.picture.width, height: config.picture.height };
        Ok(Packet::Config(TrackConfig { codec, timescale: MILLISECONDS }))
    }

    fn video_frame(&mut self, dts: i64, pts_offset: i32, data: Bytes) -> Result<Packet, FlvError> {
        let Some(video) = &self.video else { return Ok(Packet::Nothing(Ignored::BeforeConfig)) };
        if data.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        // The tag's own keyframe flag is not believed: encoders also set it on pictures that need earlier ones.
        let contents = avc::contents(&data, video.nal_length_bytes).map_err(|_| FlvError::Damaged("video"))?;
        if !contents.picture {
            return Ok(Packet::Nothing(Ignored::NoPicture));
        }
        Ok(Packet::Frame(Frame { kind: TrackKind::Video, dts, pts_offset, keyframe: contents.idr, data }))
    }

    /// Reads the payload of an audio message.
    ///
    /// # Errors
    /// As [`Demuxer::video`], with AAC.
    pub fn audio(&mut self, timestamp_ms: i64, payload: &Bytes) -> Result<Packet, FlvError> {
        let Some(&first) = payload.first() else { return Ok(Packet::Nothing(Ignored::Empty)) };
        let (packet_type, length) = match first >> 4 {
            SOUND_AAC => match payload.get(1) {
                Some(packet_type) => (*packet_type, 2),
                None => return Ok(Packet::Nothing(Ignored::Empty)),
            },
            SOUND_EX_HEADER => (enhanced_audio(payload)?, 5),
            other => return Err(FlvError::AudioCodec(sound_format_name(other))),
        };
        match packet_type {
            packet_type::SEQUENCE_START => self.audio_config(payload.slice(length..)),
            packet_type::CODED_FRAMES => Ok(self.audio_frame(timestamp_ms, payload.slice(length..))),
            _ => Ok(Packet::Nothing(Ignored::Signal)),
        }
    }

    fn audio_config(&mut self, asc: Bytes) -> Result<Packet, FlvError> {
        if asc.is_empty() {
            return Ok(Packet::Nothing(Ignored::Empty));
        }
        if self.audio.as_ref().is_some_and(|audio| audio.asc == asc) {
            return Ok(Packet::Nothing(Ignored::SameConfig));
        }
        let config = AacConfig::parse(&asc).map_err(|cause| FlvError::Config { codec: "AAC", cause })?;
        let asc = Bytes::copy_from_slice(&asc);
        self.audio =
            Some(Audio { asc: asc.clone(), frame_samples: config.frame_samples, clock: AudioClock::new(config.sample_rate) });
        let codec = CodecConfig::Aac { asc, sample_rate: config.sample_rate, channels: config.channels };
        Ok(Packet::Config(TrackConfig { codec, timescale: config.sample_rate }))
    }

    fn audio_frame(&mut self, timestamp_ms: i64, data: Bytes) -> Packet {
        let Some(audio) = &mut self.audio else { return Packet::Nothing(Ignored::BeforeConfig) };
        if data.is_empty() {
            return Packet::Nothing(Ignored::Empty);
        }
        let dts = audio.clock.dts(timestamp_ms, audio.frame_samples);
        Packet::Frame(Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data })
    }
}

/// A video tag's header. `length` is where the media begins.
enum VideoHeader {
    Config { length: usize },
    Frame { length: usize, pts_offset: i32 },
    Signal,
}

impl VideoHeader {
    /// §E.4.3.1.
    fn legacy(payload: &[u8]) -> Result<Self, FlvError> {
        if payload[0] >> 4 == frame_type::COMMAND {
            return Ok(Self::Signal);
        }
        match payload[0] & 0x0f {
            CODEC_AVC => {}
            other => return Err(FlvError::VideoCodec(codec_id_name(other))),
        }
        let &[_, packet_type, c0, c1, c2, ..] = payload else { return Err(FlvError::Damaged("video")) };
        Ok(match packet_type {
            packet_type::SEQUENCE_START => Self::Config { length: 5 },
            packet_type::CODED_FRAMES => Self::Frame { length: 5, pts_offset: signed_24_bits([c0, c1, c2]) },
            _ => Self::Signal,
        })
    }

    /// Enhanced RTMP v2, "Enhanced Video".
    fn enhanced(payload: &[u8]) -> Result<Self, FlvError> {
        let (frame_type, packet_type) = (payload[0] >> 4 & 7, payload[0] & 0x0f);
        match packet_type {
            packet_type::VIDEO_METADATA => return Ok(Self::Signal),
            packet_type::VIDEO_MULTITRACK => return Err(FlvError::Extension("multitrack video")),
            packet_type::MOD_EX => return Err(FlvError::Extension("the ModEx header of Enhanced RTMP")),
            _ if frame_type == frame_type::COMMAND => return Ok(Self::Signal),
            _ => {}
        }
        let [_, fourcc @ ..] = payload.first_chunk::<5>().ok_or(FlvError::Damaged("video"))?;
        match fourcc {
            b"avc1" => {}
            b"hvc1" => return Err(FlvError::VideoCodec("HEVC".into())),
            b"av01" => return Err(FlvError::VideoCodec("AV1".into())),
            b"vp09" => return Err(FlvError::VideoCodec("VP9".into())),
            b"vp08" => return Err(FlvError::VideoCodec("VP8".into())),
            b"vvc1" => return Err(FlvError::VideoCodec("VVC".into())),
            other => return Err(FlvError::VideoCodec(fourcc_name(*other))),
        }
        Ok(match packet_type {
            packet_type::SEQUENCE_START => Self::Config { length: 5 },
            packet_type::CODED_FRAMES => {
                let &[_, _, _, _, _, c0, c1, c2, ..] = payload else { return Err(FlvError::Damaged("video")) };
                Self::Frame { length: 8, pts_offset: signed_24_bits([c0, c1, c2]) }
            }
            packet_type::CODED_FRAMES_X => Self::Frame { length: 5, pts_offset: 0 },
            packet_type::SEQUENCE_END => Self::Signal,
            _ => return Err(FlvError::Damaged("video")),
        })
    }
}

/// Enhanced RTMP v2, "Enhanced Audio": the packet type, where the codec is AAC.
fn enhanced_audio(payload: &[u8]) -> Result<u8, FlvError> {
    let packet_type = payload[0] & 0x0f;
    match packet_type {
        packet_type::AUDIO_MULTITRACK => return Err(FlvError::Extension("multitrack audio")),
        packet_type::MOD_EX => return Err(FlvError::Extension("the ModEx header of Enhanced RTMP")),
        _ => {}
    }
    let [_, fourcc @ ..] = payload.first_chunk::<5>().ok_or(FlvError::Damaged("audio"))?;
    match fourcc {
        b"mp4a" => Ok(packet_type),
        b"Opus" => Err(FlvError::AudioCodec("Opus".into())),
        b"fLaC" => Err(FlvError::AudioCodec("FLAC".into())),
        b"ac-3" => Err(FlvError::AudioCodec("AC-3".into())),
        b"ec-3" => Err(FlvError::AudioCodec("E-AC-3".into())),
        b".mp3" => Err(FlvError::AudioCodec("MP3".into())),
        other => Err(FlvError::AudioCodec(fourcc_name(*other))),
    }
}

fn signed_24_bits([high, middle, low]: [u8; 3]) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 8
}

fn fourcc_name(fourcc: [u8; 4]) -> String {
    format!("'{}'", fourcc.escape_ascii())
}

/// 8 to 14 are no standard, but sent by old encoders and their servers.
fn codec_id_name(codec_id: u8) -> String {
    match codec_id {
        2 => "Sorenson H.263".into(),
        3 | 6 => "Screen Video".into(),
        4 | 5 => "VP6".into(),
        8 => "H.263".into(),
        9 => "MPEG-4 Part 2".into(),
        12 => "HEVC".into(),
        13 => "AV1".into(),
        14 => "VVC".into(),
        other => format!("number {other}"),
    }
}

fn sound_format_name(sound_format: u8) -> String {
    match sound_format {
        0 | 3 => "PCM".into(),
        1 => "ADPCM".into(),
        2 | 14 => "MP3".into(),
        4..=6 => "Nellymoser".into(),
        7 | 8 => "G.711".into(),
        11 => "Speex".into(),
        13 => "Opus".into(),
        other => format!("number {other}"),
    }
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
        assert_eq!(refusal(b"\x90hvc1\x01", false), "video codec HEVC is not supported yet; use H.264");
        assert_eq!(refusal(b"\x1c\x00\0\0\0\x01", false), "video codec HEVC is not supported yet; use H.264");
        assert_eq!(refusal(b"\x91av01\x12\x00", false), "video codec AV1 is not supported yet; use H.264");
        assert_eq!(refusal(b"\x22\x00", false), "video codec Sorenson H.263 is not supported yet; use H.264");
        assert_eq!(refusal(b"\x90\x01yx1\x01", false), r"video codec '\x01yx1' is not supported yet; use H.264");
        assert_eq!(refusal(b"\x90Opus\x01", true), "audio codec Opus is not supported yet; use AAC");
        assert_eq!(refusal(b"\x2f\xff", true), "audio codec MP3 is not supported yet; use AAC");
        assert!(refusal(b"\x96\x11avc1", false).starts_with("multitrack video is not supported yet"));
        assert!(refusal(b"\x95\x11mp4a", true).starts_with("multitrack audio is not supported yet"));
        assert!(refusal(b"\xaf\x00\xf9\x46\x40", true).contains("xHE-AAC"));
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
