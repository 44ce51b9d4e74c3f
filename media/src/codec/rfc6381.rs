//! What a player is asked whether it can play: codec strings of RFC 6381 §3.3, as browsers and HLS playlists take them.
//!
//! Reads only fixed fields of the configuration records; what is too short for them gets the codec's bare name.

use std::fmt::Write as _;

use super::aac::AacConfig;
use crate::frame::CodecConfig;

/// The codec as a parameter of `video/mp4; codecs="…"`.
#[must_use]
pub fn codec_string(codec: &CodecConfig) -> String {
    match codec {
        CodecConfig::H264 { avcc, .. } => avc(avcc).unwrap_or_else(|| "avc1".to_owned()),
        CodecConfig::Hevc { hvcc, .. } => hevc(hvcc).unwrap_or_else(|| "hvc1".to_owned()),
        CodecConfig::Av1 { av1c, .. } => av1(av1c).unwrap_or_else(|| "av01".to_owned()),
        CodecConfig::Aac { asc, .. } => format!("mp4a.40.{}", aac_object_type(asc)),
        CodecConfig::Opus { .. } => "opus".to_owned(),
    }
}

/// Profile, constraints and level: ISO/IEC 14496-15 §5.3.3.1, RFC 6381 §3.4.
fn avc(avcc: &[u8]) -> Option<String> {
    let &[_, profile, constraints, level, ..] = avcc else { return None };
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// ISO/IEC 14496-15 Annex E.3: profile, compatibility flags in the other order of bits, tier and level, constraints without the zeroes at their end.
fn hevc(hvcc: &[u8]) -> Option<String> {
    let &[_, profile, c0, c1, c2, c3, ref rest @ ..] = hvcc else { return None };
    let (constraints, rest) = rest.split_first_chunk::<6>()?;
    let level = rest.first()?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
    let mut text = format!("hvc1.{space}{}.{compatibility:x}.{tier}{level}", profile & 0x1f);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        let _ = write!(text, ".{byte:x}");
    }
    Some(text)
}

/// Profile, level and tier, bit depth: "AV1 Codec ISO Media File Format Binding" §5.
fn av1(av1c: &[u8]) -> Option<String> {
    let &[_, profile_level, flags, ..] = av1c else { return None };
    let (profile, level) = (profile_level >> 5, profile_level & 0x1f);
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02}"))
}

/// The object type that a decoder must know: with SBR that is signalled 5, "HE-AAC".
fn aac_object_type(asc: &[u8]) -> u8 {
    AacConfig::parse(asc).map_or(2, |config| if config.sbr { 5 } else { config.object_type })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn string(codec: CodecConfig) -> String {
        codec_string(&codec)
    }

    #[test]
    fn the_strings_are_those_that_players_know() {
        let (width, height) = (320, 180);
        let avcc = Bytes::from_static(include_bytes!("../../tests/data/x264-640x360.avcc"));
        let hvcc = Bytes::from_static(include_bytes!("../../tests/data/x265-320x180.hvcc"));
        let av1c = Bytes::from_static(&[0x81, 0, 0x0c, 0]);
        assert_eq!(
            string(CodecConfig::H264 { avcc: avcc.clone(), width, height }),
            format!("avc1.{:02x}{:02x}{:02x}", avcc[1], avcc[2], avcc[3])
        );
        assert_eq!(string(CodecConfig::H264 { avcc: Bytes::from_static(&[1, 0x64, 0, 0x1f]), width, height }), "avc1.64001f");
        assert_eq!(string(CodecConfig::Hevc { hvcc, width, height }), "hvc1.1.6.L60.90");
        assert_eq!(string(CodecConfig::Av1 { av1c, width, height }), "av01.0.00M.08");
        let av1c = Bytes::from_static(&[0x81, 0x0d, 0xcc, 0]);
        assert_eq!(string(CodecConfig::Av1 { av1c, width, height }), "av01.0.13H.10");
        let aac = |asc: &'static [u8]| CodecConfig::Aac { asc: Bytes::from_static(asc), sample_rate: 48_000, channels: 2 };
        assert_eq!(string(aac(&[0x11, 0x90])), "mp4a.40.2");
        assert_eq!(string(aac(&[0x2b, 0x92, 0x08, 0x00])), "mp4a.40.5");
        assert_eq!(string(CodecConfig::Opus { dops: Bytes::new(), channels: 2, pre_skip: 0 }), "opus");
    }

    #[test]
    fn what_is_cut_short_still_has_a_name() {
        for length in 0..13 {
            let record = Bytes::from(vec![0xff; length]);
            assert!(string(CodecConfig::H264 { avcc: record.clone(), width: 0, height: 0 }).starts_with("avc1"));
            assert!(string(CodecConfig::Hevc { hvcc: record.clone(), width: 0, height: 0 }).starts_with("hvc1"));
            assert!(string(CodecConfig::Av1 { av1c: record, width: 0, height: 0 }).starts_with("av01"));
        }
    }
}
