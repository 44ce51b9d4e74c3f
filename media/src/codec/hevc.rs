//! HEVC: the decoder configuration record, the sequence parameter set's picture size, and the NAL units of an access unit.
//!
//! ITU-T H.265 and ISO/IEC 14496-15 §8.3. Slices are not looked into.

use super::CodecError;
use super::bits::BitReader;
use super::nal::{Contents, length_bytes, nal_units, take_u16_prefixed, without_emulation_prevention};
use super::picture::{PictureSize, shown};

/// Kinds of NAL unit, H.265 table 7-1. Those up to the last slice hold pictures, some of them such that decoding can start there.
mod nal_kind {
    pub(super) const IRAP: std::ops::RangeInclusive<u8> = 16..=23;
    pub(super) const LAST_SLICE: u8 = 31;
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
    pub(super) const DELIMITER: u8 = 35;
    pub(super) const PREFIX_SEI: u8 = 39;
}

/// Bytes of a NAL unit's header.
const NAL_HEADER_BYTES: usize = 2;
/// Bits of the general part of `profile_tier_level`, without its level: §7.3.3.
const PROFILE_BITS: u32 = 88;
const LEVEL_BITS: u32 = 8;

/// What is read of an `HEVCDecoderConfigurationRecord`, ISO/IEC 14496-15 §8.3.3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HevcConfig {
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length_bytes: usize,
    /// The picture of the first SPS, after cropping.
    pub picture: PictureSize,
}

impl HevcConfig {
    /// # Errors
    /// Where it ends early, has no SPS, or its first SPS cannot be read. What the SPS says again, as profile and level, is not compared.
    pub fn parse(hvcc: &[u8]) -> Result<Self, CodecError> {
        let (head, mut rest) = hvcc.split_first_chunk::<23>().ok_or(CodecError::Truncated)?;
        let [version, .., length_size, array_count] = *head;
        // 0 is what encoders sent before the record was a standard; it differs in nothing that is read.
        if version > 1 {
            return Err(CodecError::OutOfRange("the version of the HEVC configuration"));
        }
        let nal_length_bytes = length_bytes(length_size)?;
        let mut picture = None;
        for _ in 0..array_count {
            let (&[kind, n0, n1], units) = rest.split_first_chunk::<3>().ok_or(CodecError::Truncated)?;
            rest = units;
            for _ in 0..u16::from_be_bytes([n0, n1]) {
                let unit;
                (unit, rest) = take_u16_prefixed(rest)?;
                if kind & 0x3f == nal_kind::SPS && picture.is_none() {
                    picture = Some(picture_size(unit)?);
                }
            }
        }
        let picture = picture.ok_or(CodecError::OutOfRange("the number of HEVC sequence parameter sets"))?;
        Ok(Self { nal_length_bytes, picture })
    }
}

/// Reads an SPS NAL unit (H.265 §7.3.2.2.1), with its header, as far as the picture's size.
///
/// # Errors
/// Where it ends early or has values out of range.
pub fn picture_size(sps: &[u8]) -> Result<PictureSize, CodecError> {
    let (header, payload) = sps.split_at_checked(NAL_HEADER_BYTES).ok_or(CodecError::Truncated)?;
    if kind_of(header[0]) != nal_kind::SPS {
        return Err(CodecError::OutOfRange("the NAL unit type of an SPS"));
    }
    let payload = without_emulation_prevention(payload);
    let mut bits = BitReader::new(&payload);
    bits.skip(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.bits(3)?; // less one
    if sub_layers > 6 {
        return Err(CodecError::OutOfRange("sps_max_sub_layers_minus1"));
    }
    bits.skip(1)?; // sps_temporal_id_nesting_flag
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.exp_golomb()?; // sps_seq_parameter_set_id
    let chroma_format = bits.exp_golomb()?;
    if chroma_format > 3 {
        return Err(CodecError::OutOfRange("chroma_format_idc"));
    }
    if chroma_format == 3 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    let (width, height) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let window =
        if bits.bit()? { [bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?] } else { [0; 4] };
    // §7.4.3.2.1: the window is given in chroma samples where there are any.
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = window;
    let width = shown(width, 1, left, right, unit_x).ok_or(CodecError::OutOfRange("the picture's width"))?;
    let height = shown(height, 1, top, bottom, unit_y).ok_or(CodecError::OutOfRange("the picture's height"))?;
    Ok(PictureSize { width, height })
}

/// §7.3.3. `sub_layers` is their number less one.
fn skip_profile_tier_level(bits: &mut BitReader<'_>, sub_layers: u32) -> Result<(), CodecError> {
    bits.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut present = [(false, false); 6];
    for sub_layer in &mut present[..sub_layers as usize] {
        *sub_layer = (bits.bit()?, bits.bit()?);
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?; // reserved_zero_2bits
    }
    for (profile, level) in present {
        bits.skip(if profile { PROFILE_BITS } else { 0 } + if level { LEVEL_BITS } else { 0 })?;
    }
    Ok(())
}

/// By the first byte of the NAL unit.
pub(super) fn kind_of(header: u8) -> u8 {
    header >> 1 & 0x3f
}

pub(super) fn is_parameter_set(kind: u8) -> bool {
    (nal_kind::VPS..=nal_kind::PPS).contains(&kind)
}

pub(super) fn is_delimiter(kind: u8) -> bool {
    kind == nal_kind::DELIMITER
}

pub(super) fn is_slice(kind: u8) -> bool {
    kind <= nal_kind::LAST_SLICE
}

/// Of messages that stand before the picture that they are about.
pub(super) fn is_prefix_message(kind: u8) -> bool {
    kind == nal_kind::PREFIX_SEI
}

/// Looks through an access unit. A keyframe is any picture with random access (IDR, CRA, BLA); where leading pictures follow it that need earlier ones,
/// decoders that start there leave those out.
///
/// # Errors
/// Where a length points beyond the end.
pub fn contents(access_unit: &[u8], length_bytes: usize) -> Result<Contents, CodecError> {
    let mut found = Contents::default();
    for nal in nal_units(access_unit, length_bytes) {
        let kind = kind_of(nal?[0]);
        found.picture |= kind <= nal_kind::LAST_SLICE;
        found.keyframe |= nal_kind::IRAP.contains(&kind);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::BitWriter;
    use super::*;

    /// x265, Main, 320×180: coded as 320×184 and cropped.
    const HVCC: &[u8] = include_bytes!("../../tests/data/x265-320x180.hvcc");

    fn size(width: u16, height: u16) -> PictureSize {
        PictureSize { width, height }
    }

    /// An SPS with sub-layers, of which the first tells a profile and a level and the others nothing.
    fn sps(sub_layers: u32, chroma_format: u32, (width, height): (u32, u32), window: Option<[u32; 4]>) -> Vec<u8> {
        let mut sps = BitWriter::default();
        let skip = |sps: &mut BitWriter, count: u32| {
            for _ in 0..count {
                sps.bits(1, 1);
            }
        };
        sps.bits(4, 0).bits(3, sub_layers).bits(1, 1);
        skip(&mut sps, 96);
        for sub_layer in 0..sub_layers {
            sps.bits(2, if sub_layer == 0 { 3 } else { 0 });
        }
        if sub_layers > 0 {
            skip(&mut sps, 2 * (8 - sub_layers));
            skip(&mut sps, 96);
        }
        sps.ue(0).ue(chroma_format);
        if chroma_format == 3 {
            sps.bits(1, 0);
        }
        sps.ue(width).ue(height).bits(1, u32::from(window.is_some()));
        for side in window.iter().flatten() {
            sps.ue(*side);
        }
        sps.bits(8, 0x80).nal(&[0x42, 1])
    }

    #[test]
    fn the_configuration_of_x265_is_read_and_no_prefix_of_it() {
        let config = HevcConfig::parse(HVCC).unwrap();
        assert_eq!(config, HevcConfig { nal_length_bytes: 4, picture: size(320, 180) });
        for end in 0..HVCC.len() {
            assert!(HevcConfig::parse(&HVCC[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn sizes_are_read_behind_sub_layers_and_cropped_in_chroma_units() {
        assert_eq!(picture_size(&sps(0, 1, (1920, 1088), Some([0, 0, 0, 4]))), Ok(size(1920, 1080)));
        assert_eq!(picture_size(&sps(1, 1, (1920, 1088), Some([0, 0, 0, 4]))), Ok(size(1920, 1080)));
        assert_eq!(picture_size(&sps(6, 2, (640, 480), Some([1, 1, 2, 2]))), Ok(size(636, 476)));
        assert_eq!(picture_size(&sps(2, 3, (640, 480), Some([1, 1, 2, 2]))), Ok(size(638, 476)));
        assert_eq!(picture_size(&sps(0, 0, (640, 480), None)), Ok(size(640, 480)));
    }

    #[test]
    fn absurd_parameter_sets_are_refused() {
        assert!(picture_size(&sps(0, 1, (20_000, 480), None)).is_err());
        assert!(picture_size(&sps(0, 1, (640, 480), Some([160, 160, 0, 0]))).is_err());
        assert!(picture_size(&sps(7, 1, (640, 480), None)).is_err());
        assert!(picture_size(&sps(0, 4, (640, 480), None)).is_err());
        assert!(picture_size(&[0x44, 1, 0xff]).is_err(), "a PPS");
        let mut without_arrays = HVCC[..23].to_vec();
        without_arrays[22] = 0;
        assert_eq!(HevcConfig::parse(&without_arrays), Err(CodecError::OutOfRange("the number of HEVC sequence parameter sets")));
    }

    #[test]
    fn access_units_tell_pictures_from_side_information() {
        let unit = |kinds: &[u8]| kinds.iter().flat_map(|kind| [0, 0, 0, 2, kind << 1, 1]).collect::<Vec<u8>>();
        let told = |kinds: &[u8]| contents(&unit(kinds), 4).map(|found| (found.picture, found.keyframe));
        assert_eq!(told(&[35, 32, 33, 34, 39, 19]), Ok((true, true)), "IDR behind delimiter and parameter sets");
        assert_eq!(told(&[21]), Ok((true, true)), "CRA");
        assert_eq!(told(&[16]), Ok((true, true)), "BLA");
        assert_eq!(told(&[1, 40]), Ok((true, false)));
        assert_eq!(told(&[8]), Ok((true, false)), "RASL");
        assert_eq!(told(&[35, 39, 40]), Ok((false, false)), "a delimiter and SEI");
        assert_eq!(told(&[32, 33, 34]), Ok((false, false)), "parameter sets alone");
        assert_eq!(contents(&[0, 0, 0, 9, 2], 4), Err(CodecError::Truncated));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300), length_bytes in 1_usize..=4) {
            let _ = HevcConfig::parse(&data);
            let _ = contents(&data, length_bytes);
            let _ = picture_size(&[&[0x42, 1], &data[..]].concat());
            let mut with_sps = HVCC[..23].to_vec();
            with_sps[22] = 1;
            with_sps.extend([0xa1, 0, 1]);
            with_sps.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
            with_sps.extend([0x42, 1]);
            with_sps.extend(&data);
            let _ = HevcConfig::parse(&with_sps);
        }

        #[test]
        fn every_size_comes_back(width in 8_u32..=16_384, height in 8_u32..=16_384, crop in proptest::array::uniform4(0_u32..2), sub_layers in 0_u32..=6) {
            let [left, right, top, bottom] = crop;
            let expected = size((width - 2 * (left + right)) as u16, (height - 2 * (top + bottom)) as u16);
            prop_assert_eq!(picture_size(&sps(sub_layers, 1, (width, height), Some(crop))), Ok(expected));
        }
    }
}
