//! The headers of audio and video tags: which codec, what kind of packet, and where its body lies. Adobe's FLV specification 10.1 §E.4.2 and §E.4.3, and
//! the extended headers of Enhanced RTMP v2, multitrack ones and their `ModEx` included.
//!
//! Of several tracks of a kind the first, number 0, is taken; the others are passed over.

use std::ops::Range;

use super::{
    CODEC_AVC, CODEC_HEVC, DEFAULT_TRACK, FlvError, Ignored, SOUND_AAC, SOUND_EX_HEADER, fourcc, frame_type, multitrack,
    packet_type,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum VideoCodec {
    H264,
    Hevc,
    Av1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AudioCodec {
    Aac,
    Opus,
}

/// A tag as far as its header tells. `body` is what follows the header, within the payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Tag<C> {
    Config {
        codec: C,
        body: Range<usize>,
    },
    /// `pts_offset` in milliseconds; always 0 for audio.
    Frame {
        codec: C,
        pts_offset: i32,
        body: Range<usize>,
    },
    Nothing(Ignored),
}

const VIDEO: &str = "video";
const AUDIO: &str = "audio";

/// Reads the header of a video message's payload.
pub(super) fn video(payload: &[u8]) -> Result<Tag<VideoCodec>, FlvError> {
    let Some(&first) = payload.first() else { return Ok(Tag::Nothing(Ignored::Empty)) };
    if first & 0x80 == 0 {
        return legacy_video(payload);
    }
    if first >> 4 & 7 == frame_type::COMMAND {
        return Ok(Tag::Nothing(Ignored::Signal));
    }
    let header = match Extended::read(payload, packet_type::VIDEO_MULTITRACK, packet_type::VIDEO_METADATA) {
        Ok(header) => header,
        Err(Unread::Nothing(why)) => return Ok(Tag::Nothing(why)),
        Err(Unread::Damaged) => return Err(FlvError::Damaged(VIDEO)),
    };
    let codec = match &header.fourcc {
        fourcc::AVC => VideoCodec::H264,
        fourcc::HEVC => VideoCodec::Hevc,
        fourcc::AV1 => VideoCodec::Av1,
        b"vp09" => return Err(FlvError::VideoCodec("VP9".into())),
        b"vp08" => return Err(FlvError::VideoCodec("VP8".into())),
        b"vvc1" => return Err(FlvError::VideoCodec("VVC".into())),
        other => return Err(FlvError::VideoCodec(fourcc_name(*other))),
    };
    let body = header.body;
    Ok(match header.packet_type {
        packet_type::SEQUENCE_START => Tag::Config { codec, body },
        // AV1 has no composition time.
        packet_type::CODED_FRAMES if codec != VideoCodec::Av1 => {
            let time = payload[body.clone()].first_chunk().ok_or(FlvError::Damaged(VIDEO))?;
            Tag::Frame { codec, pts_offset: signed_24_bits(*time), body: body.start + time.len()..body.end }
        }
        packet_type::CODED_FRAMES | packet_type::CODED_FRAMES_X => Tag::Frame { codec, pts_offset: 0, body },
        packet_type::SEQUENCE_END => Tag::Nothing(Ignored::Signal),
        _ => return Err(FlvError::Damaged(VIDEO)),
    })
}

/// §E.4.3.1, and HEVC as it was sent in the same form before Enhanced RTMP.
fn legacy_video(payload: &[u8]) -> Result<Tag<VideoCodec>, FlvError> {
    if payload[0] >> 4 == frame_type::COMMAND {
        return Ok(Tag::Nothing(Ignored::Signal));
    }
    let codec = match payload[0] & 0x0f {
        CODEC_AVC => VideoCodec::H264,
        CODEC_HEVC => VideoCodec::Hevc,
        other => return Err(FlvError::VideoCodec(codec_id_name(other))),
    };
    let &[_, packet_type, c0, c1, c2, ..] = payload else { return Err(FlvError::Damaged(VIDEO)) };
    let body = 5..payload.len();
    Ok(match packet_type {
        packet_type::SEQUENCE_START => Tag::Config { codec, body },
        packet_type::CODED_FRAMES => Tag::Frame { codec, pts_offset: signed_24_bits([c0, c1, c2]), body },
        _ => Tag::Nothing(Ignored::Signal),
    })
}

/// Reads the header of an audio message's payload.
pub(super) fn audio(payload: &[u8]) -> Result<Tag<AudioCodec>, FlvError> {
    let Some(&first) = payload.first() else { return Ok(Tag::Nothing(Ignored::Empty)) };
    let (codec, packet_type, body) = match first >> 4 {
        SOUND_AAC => match payload.get(1) {
            Some(packet_type) => (AudioCodec::Aac, *packet_type, 2..payload.len()),
            None => return Ok(Tag::Nothing(Ignored::Empty)),
        },
        SOUND_EX_HEADER => {
            let header = match Extended::read(payload, packet_type::AUDIO_MULTITRACK, packet_type::AUDIO_MULTICHANNEL) {
                Ok(header) => header,
                Err(Unread::Nothing(why)) => return Ok(Tag::Nothing(why)),
                Err(Unread::Damaged) => return Err(FlvError::Damaged(AUDIO)),
            };
            let codec = match &header.fourcc {
                fourcc::AAC => AudioCodec::Aac,
                fourcc::OPUS => AudioCodec::Opus,
                b"fLaC" => return Err(FlvError::AudioCodec("FLAC".into())),
                b"ac-3" => return Err(FlvError::AudioCodec("AC-3".into())),
                b"ec-3" => return Err(FlvError::AudioCodec("E-AC-3".into())),
                b".mp3" => return Err(FlvError::AudioCodec("MP3".into())),
                other => return Err(FlvError::AudioCodec(fourcc_name(*other))),
            };
            (codec, header.packet_type, header.body)
        }
        other => return Err(FlvError::AudioCodec(sound_format_name(other))),
    };
    Ok(match packet_type {
        packet_type::SEQUENCE_START => Tag::Config { codec, body },
        packet_type::CODED_FRAMES => Tag::Frame { codec, pts_offset: 0, body },
        _ => Tag::Nothing(Ignored::Signal),
    })
}

/// What extended audio and video headers have in common.
struct Extended {
    packet_type: u8,
    fourcc: [u8; 4],
    body: Range<usize>,
}

/// Why there is no header to go on with.
enum Unread {
    Nothing(Ignored),
    Damaged,
}

impl Extended {
    /// `multitrack_type` and `signal_type` are the packet types that mean several tracks, and something for a player only.
    fn read(payload: &[u8], multitrack_type: u8, signal_type: u8) -> Result<Self, Unread> {
        let mut rest = Cursor { payload, at: 0 };
        let mut packet_type = rest.u8()? & 0x0f;
        // Each makes the header longer by two bytes at least, so this ends.
        while packet_type == packet_type::MOD_EX {
            let mut bytes = usize::from(rest.u8()?) + 1;
            if bytes == 256 {
                bytes = usize::from(u16::from_be_bytes(rest.array()?)) + 1;
            }
            rest.skip(bytes)?;
            packet_type = rest.u8()? & 0x0f;
        }
        if packet_type == signal_type {
            return Err(Unread::Nothing(Ignored::Signal));
        }
        if packet_type != multitrack_type {
            let fourcc = rest.array()?;
            return Ok(Self { packet_type, fourcc, body: rest.to_end() });
        }
        let (kind, packet_type) = rest.nibbles()?;
        if packet_type == signal_type {
            return Err(Unread::Nothing(Ignored::Signal));
        }
        let shared = if kind == multitrack::MANY_TRACKS_MANY_CODECS { None } else { Some(rest.array()?) };
        loop {
            if rest.is_empty() {
                return Err(Unread::Nothing(Ignored::OtherTrack));
            }
            let fourcc = shared.map_or_else(|| rest.array(), Ok)?;
            let track = rest.u8()?;
            let body = if kind == multitrack::ONE_TRACK { rest.to_end() } else { rest.sized()? };
            if track == DEFAULT_TRACK {
                return Ok(Self { packet_type, fourcc, body });
            }
            rest.at = body.end;
        }
    }
}

/// Where reading has come to in a payload.
struct Cursor<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let taken = self.payload.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Unread::Damaged)?;
        self.at += N;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Unread> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn nibbles(&mut self) -> Result<(u8, u8), Unread> {
        self.u8().map(|byte| (byte >> 4, byte & 0x0f))
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Unread> {
        self.at = Some(self.at + bytes).filter(|at| *at <= self.payload.len()).ok_or(Unread::Damaged)?;
        Ok(())
    }

    /// What stands behind a 24-bit length. Leaves the place as it is behind the length.
    fn sized(&mut self) -> Result<Range<usize>, Unread> {
        let [b0, b1, b2] = self.array()?;
        let end = self.at + u32::from_be_bytes([0, b0, b1, b2]) as usize;
        if end <= self.payload.len() { Ok(self.at..end) } else { Err(Unread::Damaged) }
    }

    fn to_end(&self) -> Range<usize> {
        self.at..self.payload.len()
    }

    fn is_empty(&self) -> bool {
        self.at >= self.payload.len()
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
        13 => "AV1 without Enhanced RTMP".into(),
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
        13 => "Opus without Enhanced RTMP".into(),
        other => format!("number {other}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is taken of a video payload: whether it is a frame, and its body.
    fn taken(payload: &[u8]) -> Result<(bool, &[u8]), Ignored> {
        match video(payload).unwrap() {
            Tag::Config { body, .. } => Ok((false, &payload[body])),
            Tag::Frame { body, .. } => Ok((true, &payload[body])),
            Tag::Nothing(why) => Err(why),
        }
    }

    #[test]
    fn of_many_tracks_the_first_is_taken_wherever_it_stands() {
        assert_eq!(taken(b"\x96\x03hvc1\x00media"), Ok((true, &b"media"[..])), "one track, and it is that");
        assert_eq!(taken(b"\x96\x03hvc1\x01media"), Err(Ignored::OtherTrack), "one track, another");
        let many = b"\x96\x10hvc1\x01\x00\x00\x02xx\x00\x00\x00\x03abc\x02\x00\x00\x00";
        assert_eq!(taken(many), Ok((false, &b"abc"[..])));
        let codecs = b"\x96\x23vp09\x01\x00\x00\x02xxav01\x00\x00\x00\x03abc";
        assert_eq!(taken(codecs), Ok((true, &b"abc"[..])));
        assert_eq!(taken(b"\x96\x23vp09\x01\x00\x00\x02xx"), Err(Ignored::OtherTrack));
        assert_eq!(audio(b"\x95\x01Opus\x07frame"), Ok(Tag::Nothing(Ignored::OtherTrack)));
        assert_eq!(audio(b"\x95\x01Opus\x00frame"), Ok(Tag::Frame { codec: AudioCodec::Opus, pts_offset: 0, body: 7..12 }));
        let torn = b"\x96\x10hvc1\x01\x00\x00\x09xx";
        assert_eq!(video(torn), Err(FlvError::Damaged("video")), "a track that ends behind the message");
    }

    #[test]
    fn what_modifies_a_packet_is_read_over() {
        // Nanoseconds: three bytes of them, then the type of the modifier and the packet's.
        assert_eq!(taken(b"\x97\x02\x00\x01\x02\x03hvc1media"), Ok((true, &b"media"[..])));
        assert_eq!(taken(b"\x97\x00\xaa\x07\x00\xbb\x03av01media"), Ok((true, &b"media"[..])), "two of them");
        let long = [&b"\x97\xff\x01\x00"[..], &[0; 257], b"\x03av01media"].concat();
        assert_eq!(taken(&long), Ok((true, &b"media"[..])));
        for torn in [&b"\x97"[..], b"\x97\x02", b"\x97\x02\0\0\0", b"\x97\xff", b"\x97\xff\xff\xff"] {
            assert_eq!(video(torn), Err(FlvError::Damaged("video")), "{torn:?}");
        }
    }

    proptest! {
        #[test]
        fn a_body_lies_within_its_payload(mut payload in proptest::collection::vec(any::<u8>(), 1..60), first in prop::sample::select(vec![0x90_u8, 0x95, 0x96, 0x97, 0xa1])) {
            payload[0] = first;
            let within = |body: &Range<usize>| body.start <= body.end && body.end <= payload.len();
            if let Ok(Tag::Config { body, .. } | Tag::Frame { body, .. }) = video(&payload) {
                prop_assert!(within(&body));
            }
            if let Ok(Tag::Config { body, .. } | Tag::Frame { body, .. }) = audio(&payload) {
                prop_assert!(within(&body));
            }
        }
    }
}
