//! Opus: the identification header, its form in MP4, and how long a packet lasts.
//!
//! RFC 7845 §5.1 (`OpusHead`), "Encapsulation of Opus in ISO Base Media File Format" §4.3.2 (`dOps`), and RFC 6716 §3.1. Packets are not decoded.

use bytes::{BufMut, Bytes, BytesMut};

use super::CodecError;

/// Ticks a second of everything about Opus, whatever the encoder was given.
pub const SAMPLE_RATE: u32 = 48_000;
/// The longest packet: 120 ms, RFC 6716 §3.2.5.
pub const MAX_PACKET_SAMPLES: u32 = 5_760;
/// How long a decoder must have listened before it can be believed: 80 ms, RFC 7845 §4.6.
pub const PRE_ROLL_SAMPLES: u32 = 3_840;

const MAGIC: &[u8; 8] = b"OpusHead";
/// From the channel count on, without the mapping table.
const FIELD_BYTES: usize = 10;

/// What is read of the identification header; the same stands in a `dOps` box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpusConfig {
    /// As decoded.
    pub channels: u8,
    /// Samples at the beginning that the decoder puts out and nobody is to hear.
    pub pre_skip: u16,
}

impl OpusConfig {
    /// From the body of a `dOps` box.
    ///
    /// # Errors
    /// Where it ends early, has more behind its end, or has values out of range.
    pub fn parse(dops: &[u8]) -> Result<Self, CodecError> {
        let (version, fields) = dops.split_first().ok_or(CodecError::Truncated)?;
        if *version != 0 {
            return Err(CodecError::OutOfRange("the version of the Opus configuration"));
        }
        let &[channels, s0, s1, _, _, _, _, _, _, family, ref table @ ..] = fields else { return Err(CodecError::Truncated) };
        if channels == 0 || family == 0 && channels > 2 {
            return Err(CodecError::OutOfRange("the number of Opus channels"));
        }
        let expected = if family == 0 { 0 } else { 2 + usize::from(channels) };
        match table.len() {
            length if length < expected => return Err(CodecError::Truncated),
            length if length > expected => return Err(CodecError::OutOfRange("the length of the Opus configuration")),
            _ => {}
        }
        if let [streams, coupled, mapping @ ..] = table {
            // RFC 7845 §5.1.1: 255 is silence.
            let decoded = u16::from(*streams) + u16::from(*coupled);
            let known = |index: &u8| u16::from(*index) < decoded || *index == 255;
            if *streams == 0 || coupled > streams || decoded > 255 || !mapping.iter().all(known) {
                return Err(CodecError::OutOfRange("the Opus channel mapping"));
            }
        }
        Ok(Self { channels, pre_skip: u16::from_be_bytes([s0, s1]) })
    }
}

/// The body of the `dOps` box that says what an identification header says.
///
/// # Errors
/// As [`OpusConfig::parse`].
pub fn dops(id_header: &[u8]) -> Result<Bytes, CodecError> {
    let fields = id_header.strip_prefix(MAGIC).ok_or(CodecError::OutOfRange("the beginning of the Opus header"))?;
    let (version, fields) = fields.split_first().ok_or(CodecError::Truncated)?;
    // §5.1: versions up to 15 can be read as the first.
    if version & 0xf0 != 0 {
        return Err(CodecError::OutOfRange("the version of the Opus header"));
    }
    let dops = turned(&[0], fields).ok_or(CodecError::Truncated)?;
    OpusConfig::parse(&dops)?;
    Ok(dops)
}

/// The identification header that says what the body of a `dOps` box says. Empty where that is none.
#[must_use]
pub fn id_header(dops: &[u8]) -> Bytes {
    dops.get(1..).and_then(|fields| turned(&[&MAGIC[..], &[1]].concat(), fields)).unwrap_or_default()
}

/// The body of the `dOps` box of a stream that comes without a header, as RTP's does: two channels, RFC 7587 §4.1.
#[must_use]
pub fn stereo_dops(pre_skip: u16) -> Bytes {
    let mut dops = BytesMut::with_capacity(1 + FIELD_BYTES);
    dops.put_slice(&[0, 2]);
    dops.put_u16(pre_skip);
    dops.put_u32(SAMPLE_RATE);
    // No gain, no mapping.
    dops.put_slice(&[0, 0, 0]);
    dops.freeze()
}

/// The fields with their numbers' bytes in the other order: that of MP4 is from high to low, Ogg's from low to high.
fn turned(head: &[u8], fields: &[u8]) -> Option<Bytes> {
    let (&[channels, s0, s1, r0, r1, r2, r3, g0, g1, family], table) = fields.split_first_chunk::<FIELD_BYTES>()?;
    let mut out = BytesMut::with_capacity(head.len() + fields.len());
    out.put_slice(head);
    out.put_slice(&[channels, s1, s0, r3, r2, r1, r0, g1, g0, family]);
    out.put_slice(table);
    Some(out.freeze())
}

/// How many samples a packet holds: RFC 6716 §3.1, table 2. `None` where it is no packet.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let (toc, rest) = packet.split_first()?;
    let frame_samples = match toc >> 3 {
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        config @ 12..16 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3f),
    };
    Some(frames * frame_samples).filter(|samples| (1..=MAX_PACKET_SAMPLES).contains(samples))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// libopus by FFmpeg, mono, 6.5 ms of pre-skip, 48 kHz.
    const ID_HEADER: &[u8] = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";

    #[test]
    fn a_header_becomes_a_box_and_the_box_the_header() {
        let body = dops(ID_HEADER).unwrap();
        assert_eq!(&body[..], [0, 1, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0]);
        assert_eq!(OpusConfig::parse(&body), Ok(OpusConfig { channels: 1, pre_skip: 312 }));
        assert_eq!(&id_header(&body)[..], ID_HEADER);
        for end in 0..ID_HEADER.len() {
            assert!(dops(&ID_HEADER[..end]).is_err(), "cut at {end}");
        }
        assert!(dops(b"OggS").is_err());
    }

    #[test]
    fn a_stream_without_a_header_is_stereo() {
        assert_eq!(OpusConfig::parse(&stereo_dops(312)), Ok(OpusConfig { channels: 2, pre_skip: 312 }));
    }

    #[test]
    fn surround_brings_its_mapping_and_no_other() {
        let header = |tail: &[u8]| [&b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01"[..], tail].concat();
        let surround = header(&[4, 2, 0, 4, 1, 2, 3, 5]);
        let body = dops(&surround).unwrap();
        assert_eq!(OpusConfig::parse(&body).map(|config| config.channels), Ok(6));
        assert_eq!(&id_header(&body)[..], surround);
        for (tail, what) in [
            (&[4, 2, 0, 4, 1, 2, 3][..], "too short"),
            (&[4, 2, 0, 4, 1, 2, 3, 5, 0], "too long"),
            (&[4, 2, 0, 4, 1, 2, 3, 6], "a stream that is not there"),
            (&[0, 0, 255, 255, 255, 255, 255, 255], "no stream"),
            (&[2, 4, 0, 4, 1, 2, 3, 5], "more pairs than streams"),
        ] {
            assert!(dops(&header(tail)).is_err(), "{what}");
        }
        assert!(dops(b"OpusHead\x01\x03\x38\x01\x80\xbb\0\0\0\0\0").is_err(), "three channels without a mapping");
        assert!(dops(b"OpusHead\x01\x00\x38\x01\x80\xbb\0\0\0\0\0").is_err(), "no channel");
    }

    #[test]
    fn packets_last_as_long_as_their_first_byte_says() {
        let samples = |config: u8, code: u8| packet_samples(&[config << 3 | code, 3]);
        assert_eq!(samples(3, 0), Some(2_880), "SILK, 60 ms");
        assert_eq!(samples(12, 0), Some(480), "hybrid, 10 ms");
        assert_eq!(samples(15, 1), Some(1_920), "hybrid, twice 20 ms");
        assert_eq!(samples(16, 2), Some(240), "CELT, twice 2.5 ms");
        assert_eq!(samples(31, 3), Some(2_880), "CELT, three times 20 ms");
        assert_eq!(samples(3, 3), None, "more than 120 ms");
        assert_eq!(packet_samples(&[0xff, 0]), None, "no frame");
        assert_eq!(packet_samples(&[0xff]), None);
        assert_eq!(packet_samples(&[]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = OpusConfig::parse(&data);
            let _ = dops(&data);
            let _ = dops(&[&MAGIC[..], &data].concat());
            let _ = id_header(&data);
            prop_assert!(packet_samples(&data).is_none_or(|samples| samples > 0 && samples <= MAX_PACKET_SAMPLES));
        }

        #[test]
        fn what_can_be_read_goes_to_mp4_and_back(fields in proptest::collection::vec(any::<u8>(), 10..20)) {
            let header = [&MAGIC[..], &[1], &fields].concat();
            if let Ok(body) = dops(&header) {
                prop_assert_eq!(&id_header(&body)[..], &header);
            }
        }
    }
}
