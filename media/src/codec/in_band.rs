//! Parameter sets within access units, for players that read a track's first configuration and no other.
//!
//! ISO/IEC 14496-15 §5.3.1 and §8.3.2 have them in the sample entry. Where a track has several entries, Chromium and FFmpeg up to 5.1 (in fragments) go on with the
//! first: they play on only where each keyframe brings its own. Chromium also seeks back from behind a change only to keyframes that do.

use bytes::{BufMut, Bytes, BytesMut};

use super::nal::{length_bytes, nal_units, take_u16_prefixed};
use super::{CodecError, avc::NalKind, hevc};
use crate::frame::CodecConfig;

/// The parameter sets of one configuration, as they stand in an access unit.
#[derive(Debug)]
pub struct ParameterSets {
    codec: Codec,
    nal_length_bytes: usize,
    bytes: Bytes,
}

#[derive(Clone, Copy, Debug)]
enum Codec {
    H264,
    Hevc,
}

impl ParameterSets {
    /// `None` where the codec has none of the kind, or the configuration cannot be read.
    #[must_use]
    pub fn of(config: &CodecConfig) -> Option<Self> {
        match config {
            CodecConfig::H264 { avcc, .. } => Self::of_h264(avcc).ok(),
            CodecConfig::Hevc { hvcc, .. } => Self::of_hevc(hvcc).ok(),
            CodecConfig::Av1 { .. } | CodecConfig::Aac { .. } | CodecConfig::Opus { .. } => None,
        }
    }

    #[must_use]
    pub fn are_h264(&self) -> bool {
        matches!(self.codec, Codec::H264)
    }

    fn of_h264(avcc: &[u8]) -> Result<Self, CodecError> {
        let [_, _, _, _, length_size, sps_count, rest @ ..] = avcc else { return Err(CodecError::Truncated) };
        let mut sets = Self::none(Codec::H264, *length_size)?;
        let mut bytes = BytesMut::new();
        let rest = sets.take(rest, (sps_count & 0x1f).into(), true, &mut bytes)?;
        let (pps_count, rest) = rest.split_first().ok_or(CodecError::Truncated)?;
        sets.take(rest, (*pps_count).into(), true, &mut bytes)?;
        sets.bytes = bytes.freeze();
        Ok(sets)
    }

    fn of_hevc(hvcc: &[u8]) -> Result<Self, CodecError> {
        let (&[.., length_size, array_count], mut rest) = hvcc.split_first_chunk::<23>().ok_or(CodecError::Truncated)?;
        let mut sets = Self::none(Codec::Hevc, length_size)?;
        let mut bytes = BytesMut::new();
        for _ in 0..array_count {
            let (&[kind, n0, n1], units) = rest.split_first_chunk::<3>().ok_or(CodecError::Truncated)?;
            // Messages that stand there too are not repeated.
            let is_set = hevc::is_parameter_set(kind & 0x3f);
            rest = sets.take(units, u16::from_be_bytes([n0, n1]), is_set, &mut bytes)?;
        }
        sets.bytes = bytes.freeze();
        Ok(sets)
    }

    fn none(codec: Codec, length_size: u8) -> Result<Self, CodecError> {
        Ok(Self { codec, nal_length_bytes: length_bytes(length_size)?, bytes: Bytes::new() })
    }

    /// Takes so many units off `data`, each behind 16 bits of length, and, where they are to be kept, lays them down as an access unit has them.
    fn take<'a>(&self, data: &'a [u8], count: u16, keep: bool, out: &mut BytesMut) -> Result<&'a [u8], CodecError> {
        let mut rest = data;
        for _ in 0..count {
            let unit;
            (unit, rest) = take_u16_prefixed(rest)?;
            if keep {
                let length = u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes();
                let length = &length[length.len() - self.nal_length_bytes..];
                if self.nal_length_bytes == 1 && unit.len() > 255 {
                    return Err(CodecError::OutOfRange("the length of a parameter set"));
                }
                out.put_slice(length);
                out.put_slice(unit);
            }
        }
        Ok(rest)
    }

    /// The access unit with the parameter sets in it, in front or behind its delimiter; as it is where it brings its own.
    #[must_use]
    pub fn put_into(&self, access_unit: &Bytes) -> Bytes {
        let (mut at, mut is_first) = (0, true);
        for nal in nal_units(access_unit, self.nal_length_bytes) {
            let Ok(nal) = nal else { break };
            let (is_set, is_delimiter) = match self.codec {
                Codec::H264 => (NalKind::of(nal[0]) == NalKind::Sps, NalKind::of(nal[0]) == NalKind::AccessUnitDelimiter),
                Codec::Hevc => (hevc::is_parameter_set(hevc::kind_of(nal[0])), hevc::is_delimiter(hevc::kind_of(nal[0]))),
            };
            if is_set {
                return access_unit.clone();
            }
            let end = self.nal_length_bytes + nal.len();
            if is_first && is_delimiter && access_unit[self.nal_length_bytes..end] == *nal {
                at = end;
            }
            is_first = false;
        }
        let mut whole = BytesMut::with_capacity(self.bytes.len() + access_unit.len());
        whole.put_slice(&access_unit[..at]);
        whole.put_slice(&self.bytes);
        whole.put_slice(&access_unit[at..]);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::avc;

    const AVCC: &[u8] = include_bytes!("../../tests/data/x264-640x360.avcc");
    const HVCC: &[u8] = include_bytes!("../../tests/data/x265-320x180.hvcc");

    fn sets() -> [ParameterSets; 2] {
        let h264 = CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 };
        let hevc = CodecConfig::Hevc { hvcc: Bytes::from_static(HVCC), width: 320, height: 180 };
        [h264, hevc].map(|config| ParameterSets::of(&config).unwrap())
    }

    fn kinds(unit: &[u8], of: fn(u8) -> u8) -> Vec<u8> {
        nal_units(unit, 4).map(|nal| of(nal.unwrap()[0])).collect()
    }

    #[test]
    fn they_stand_behind_the_delimiter_and_once() {
        let [h264, hevc] = sets();
        let unit = h264.put_into(&Bytes::from_static(&[0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x65, 0x88]));
        assert_eq!(kinds(&unit, |header| header & 0x1f), [9, 7, 8, 5]);
        assert_eq!(h264.put_into(&unit), unit);
        assert!(avc::contents(&unit, 4).unwrap().keyframe);
        let unit = hevc.put_into(&Bytes::from_static(&[0, 0, 0, 2, 38, 1]));
        assert_eq!(kinds(&unit, |header| header >> 1 & 0x3f), [32, 33, 34, 19]);
        let unit = hevc.put_into(&Bytes::from_static(&[0, 0, 0, 3, 70, 1, 0x50, 0, 0, 0, 2, 38, 1]));
        assert_eq!(kinds(&unit, |header| header >> 1 & 0x3f), [35, 32, 33, 34, 19]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_are_kept(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            for config in [
                CodecConfig::H264 { avcc: Bytes::from(data.clone()), width: 1, height: 1 },
                CodecConfig::Hevc { hvcc: Bytes::from(data.clone()), width: 1, height: 1 },
            ] {
                let _ = ParameterSets::of(&config);
            }
            for sets in sets() {
                prop_assert!(sets.put_into(&Bytes::from(data.clone())).len() >= data.len());
            }
        }
    }
}
