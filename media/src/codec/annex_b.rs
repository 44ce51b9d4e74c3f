//! H.264 as RTP depacketizers and decoders have it: NAL units behind start codes, parameter sets among them.
//!
//! ITU-T H.264 Annex B and ISO/IEC 14496-15 §5.3.3.1. What RTP adds is the depacketizer's affair, and timestamps are the caller's.

use bytes::{BufMut, Bytes, BytesMut};

use super::CodecError;
use super::avc::{AvcConfig, NalKind, chroma_format};
use super::in_band::ParameterSets;
use super::nal::{Contents, nal_units as units_behind_lengths};
use crate::frame::CodecConfig;

/// Parameter sets of one kind that an access unit may bring: real encoders send one or two.
const MAX_SETS: usize = 16;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The NAL units of an access unit, each behind a start code of three bytes or more. What stands before the first start code is passed over, and so are
/// empty ones and the zeroes behind each.
pub fn nal_units(access_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start_code(access_unit).map_or(&[][..], |(_, end)| &access_unit[end..]);
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (nal, after) = start_code(rest).map_or((rest, &[][..]), |(start, end)| (&rest[..start], &rest[end..]));
            rest = after;
            let length = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if length > 0 {
                return Some(&nal[..length]);
            }
        }
        None
    })
}

/// Where the first start code of three bytes begins and ends.
fn start_code(data: &[u8]) -> Option<(usize, usize)> {
    // Every third byte decides most places: a byte above 1 stands in no start code.
    let mut at = 2;
    while let Some(byte) = data.get(at) {
        match byte {
            0 => at += 1,
            1 if data[at - 2..at] == [0, 0] => return Some((at - 2, at + 1)),
            _ => at += 3,
        }
    }
    None
}

/// The parameter sets of a stream as they have come, and what becomes of its access units in MP4.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unpacker {
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
}

/// An access unit as MP4 has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unpacked {
    /// NAL units behind lengths of 4 bytes, without parameter sets, delimiters and filling.
    pub data: Bytes,
    pub contents: Contents,
    /// Parameter sets have come that are not what was there before.
    pub new_sets: bool,
}

impl Unpacker {
    /// Takes an access unit; its parameter sets are remembered.
    pub fn unpack(&mut self, access_unit: &[u8]) -> Unpacked {
        let mut data = BytesMut::with_capacity(access_unit.len() + 16);
        let mut contents = Contents::default();
        let (mut sps, mut pps): (Vec<Bytes>, Vec<Bytes>) = (Vec::new(), Vec::new());
        for nal in nal_units(access_unit) {
            match NalKind::of(nal[0]) {
                NalKind::Sps => keep(&mut sps, nal),
                NalKind::Pps => keep(&mut pps, nal),
                NalKind::AccessUnitDelimiter => {}
                // Filler data.
                NalKind::Other if nal[0] & 0x1f == 12 => {}
                kind => {
                    contents.picture |= matches!(kind, NalKind::Slice | NalKind::Idr);
                    contents.keyframe |= kind == NalKind::Idr;
                    data.put_u32(u32::try_from(nal.len()).unwrap_or(u32::MAX));
                    data.put_slice(nal);
                }
            }
        }
        let before = self.clone();
        if !sps.is_empty() {
            // With the SPS its PPS come anew.
            *self = Self { sps, pps };
        } else if !pps.is_empty() {
            self.pps = pps;
        }
        Unpacked { data: data.freeze(), contents, new_sets: *self != before }
    }

    /// The decoder configuration of the sets so far; `None` before there is a whole one.
    ///
    /// # Errors
    /// Where the SPS cannot be read.
    pub fn config(&self) -> Result<Option<CodecConfig>, CodecError> {
        let Some(first) = self.sps.first().filter(|_| !self.pps.is_empty()) else { return Ok(None) };
        let &[_, profile, constraints, level, ..] = &first[..] else { return Err(CodecError::Truncated) };
        let mut avcc = BytesMut::new();
        avcc.put_slice(&[1, profile, constraints, level, 0xff, 0xe0 | self.sps.len() as u8]);
        put_sets(&mut avcc, &self.sps);
        avcc.put_u8(self.pps.len() as u8);
        put_sets(&mut avcc, &self.pps);
        if let Some([format, luma_depth, chroma_depth]) = chroma_format(first)? {
            avcc.put_slice(&[0xfc | format, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
        }
        let picture = AvcConfig::parse(&avcc)?.picture;
        Ok(Some(CodecConfig::H264 { avcc: avcc.freeze(), width: picture.width, height: picture.height }))
    }
}

fn keep(sets: &mut Vec<Bytes>, nal: &[u8]) {
    // A length of 16 bits stands before each in the configuration.
    if sets.len() < MAX_SETS && nal.len() <= usize::from(u16::MAX) && !sets.iter().any(|known| known == nal) {
        sets.push(Bytes::copy_from_slice(nal));
    }
}

fn put_sets(out: &mut BytesMut, sets: &[Bytes]) {
    for set in sets {
        out.put_u16(set.len() as u16);
        out.put_slice(set);
    }
}

/// Access units of MP4 made into what an RTP packetizer takes.
#[derive(Debug)]
pub struct Packer {
    nal_length_bytes: usize,
    sets: ParameterSets,
}

impl Packer {
    /// `None` where it is not H.264, or the configuration cannot be read.
    #[must_use]
    pub fn of(config: &CodecConfig) -> Option<Self> {
        let CodecConfig::H264 { avcc, .. } = config else { return None };
        let nal_length_bytes = AvcConfig::parse(avcc).ok()?.nal_length_bytes;
        Some(Self { nal_length_bytes, sets: ParameterSets::of(config)? })
    }

    /// The NAL units behind start codes; a keyframe has the parameter sets in front. Ends where a length points beyond the end.
    #[must_use]
    pub fn pack(&self, access_unit: &Bytes, keyframe: bool) -> Vec<u8> {
        let whole = if keyframe { self.sets.put_into(access_unit) } else { access_unit.clone() };
        let mut out = Vec::with_capacity(whole.len() + 16);
        for nal in units_behind_lengths(&whole, self.nal_length_bytes) {
            let Ok(nal) = nal else { break };
            out.extend_from_slice(&START_CODE);
            out.extend_from_slice(nal);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AVCC: &[u8] = include_bytes!("../../tests/data/x264-640x360.avcc");

    fn config() -> CodecConfig {
        CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 }
    }

    fn kinds<'a>(units: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        units.map(|nal| nal[0] & 0x1f).collect()
    }

    #[test]
    fn units_end_before_the_next_start_code_and_its_zeroes() {
        let unit = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 5, 0, 0, 0, 0, 1, 0x65, 0x88, 0, 0];
        let units: Vec<&[u8]> = nal_units(&unit).collect();
        assert_eq!(units, [&[9, 0xf0][..], &[6, 5], &[0x65, 0x88]]);
        assert_eq!(nal_units(&[0x65, 1, 2]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1, 0, 0, 1, 0x41]).count(), 1);
    }

    #[test]
    fn a_keyframe_goes_to_rtp_and_back() {
        let frame = Bytes::from_static(&[0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x06, 5, 0, 0, 0, 3, 0x65, 0x88, 0x84]);
        let packed = Packer::of(&config()).unwrap().pack(&frame, true);
        assert_eq!(kinds(nal_units(&packed)), [9, 7, 8, 6, 5]);
        let mut unpacker = Unpacker::default();
        let unpacked = unpacker.unpack(&packed);
        assert_eq!(unpacked.contents, Contents { picture: true, keyframe: true });
        assert!(unpacked.new_sets);
        assert_eq!(&unpacked.data[..], &frame[6..]);
        let Some(CodecConfig::H264 { avcc, width, height }) = unpacker.config().unwrap() else { panic!() };
        assert_eq!((width, height), (640, 360));
        assert_eq!(avcc, AVCC);
        assert!(!unpacker.unpack(&packed).new_sets, "the same again is nothing new");
        let slice = unpacker.unpack(&[0, 0, 1, 0x41, 0x9a]);
        assert_eq!((slice.contents, slice.new_sets), (Contents { picture: true, keyframe: false }, false));
    }

    #[test]
    fn there_is_no_configuration_before_both_sets_have_come() {
        let mut unpacker = Unpacker::default();
        assert_eq!(unpacker.config(), Ok(None));
        let sps = ParameterSets::of(&config()).unwrap().put_into(&Bytes::new());
        let sps = units_behind_lengths(&sps, 4).next().unwrap().unwrap();
        assert!(unpacker.unpack(&[&[0, 0, 1][..], sps].concat()).new_sets);
        assert_eq!(unpacker.config(), Ok(None));
        assert!(unpacker.unpack(&[0, 0, 1, 0x68, 0xeb, 0xe3]).new_sets);
        assert!(unpacker.config().unwrap().is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0x67), Just(0x68), any::<u8>()], 0..300)) {
            let mut unpacker = Unpacker::default();
            let _ = unpacker.unpack(&data);
            let _ = unpacker.config();
            let _ = Packer::of(&config()).unwrap().pack(&Bytes::from(data), true);
        }

        #[test]
        fn start_codes_are_found_as_by_looking_at_each_place(data in proptest::collection::vec(0_u8..3, 0..60)) {
            let plain = data.windows(3).position(|window| window == [0, 0, 1]);
            prop_assert_eq!(start_code(&data).map(|(start, _)| start), plain);
        }
    }
}
