//! H.264: the decoder configuration record, the sequence parameter set's picture size, and the NAL units of an access unit.
//!
//! ITU-T H.264 and ISO/IEC 14496-15. Slices are not looked into.

use super::CodecError;
use super::bits::BitReader;
use super::nal::{Contents, length_bytes, nal_units, take_u16_prefixed, without_emulation_prevention};
use super::picture::{PictureSize, shown};

/// What is read of an `AVCDecoderConfigurationRecord`, ISO/IEC 14496-15 §5.3.3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AvcConfig {
    /// `AVCProfileIndication`, for example 66 Baseline, 77 Main, 100 High.
    pub profile: u8,
    /// `profile_compatibility`, the constraint flags.
    pub constraints: u8,
    /// `AVCLevelIndication`, ten times the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length_bytes: usize,
    /// The picture of the first SPS, after cropping.
    pub picture: PictureSize,
}

impl AvcConfig {
    /// # Errors
    /// Where it ends early, has no SPS, or its first SPS cannot be read. A record without PPS is taken: some encoders send them in band.
    pub fn parse(avcc: &[u8]) -> Result<Self, CodecError> {
        let [version, profile, constraints, level, length_size, sps_count, rest @ ..] = avcc else {
            return Err(CodecError::Truncated);
        };
        if *version != 1 {
            return Err(CodecError::OutOfRange("the version of the H.264 configuration"));
        }
        let nal_length_bytes = length_bytes(*length_size)?;
        if sps_count & 0x1f == 0 {
            return Err(CodecError::OutOfRange("the number of H.264 sequence parameter sets"));
        }
        let (mut picture, mut rest) = (None, rest);
        for _ in 0..sps_count & 0x1f {
            let sps;
            (sps, rest) = take_u16_prefixed(rest)?;
            if picture.is_none() {
                picture = Some(picture_size(sps)?);
            }
        }
        let (pps_count, mut rest) = rest.split_first().ok_or(CodecError::Truncated)?;
        for _ in 0..*pps_count {
            (_, rest) = take_u16_prefixed(rest)?;
        }
        let picture = picture.ok_or(CodecError::Truncated)?;
        Ok(Self { profile: *profile, constraints: *constraints, level: *level, nal_length_bytes, picture })
    }
}

/// Reads an SPS NAL unit (H.264 §7.3.2.1.1), with its one-byte header, as far as the picture's size.
///
/// # Errors
/// Where it ends early or has values out of range.
pub fn picture_size(sps: &[u8]) -> Result<PictureSize, CodecError> {
    match sps.first() {
        None => return Err(CodecError::Truncated),
        Some(header) if NalKind::of(*header) != NalKind::Sps => {
            return Err(CodecError::OutOfRange("the NAL unit type of an SPS"));
        }
        Some(_) => {}
    }
    let payload = without_emulation_prevention(&sps[1..]);
    let mut bits = BitReader::new(&payload);
    let profile = bits.bits(8)?;
    bits.skip(16)?; // constraint flags, level
    bits.exp_golomb()?; // seq_parameter_set_id
    let mut chroma_format = 1;
    let mut separate_planes = false;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma_format = bits.exp_golomb()?;
        if chroma_format > 3 {
            return Err(CodecError::OutOfRange("chroma_format_idc"));
        }
        if chroma_format == 3 {
            separate_planes = bits.bit()?;
        }
        bits.exp_golomb()?; // bit_depth_luma_minus8
        bits.exp_golomb()?; // bit_depth_chroma_minus8
        bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.bit()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.signed_exp_golomb()?; // offset_for_non_ref_pic
            bits.signed_exp_golomb()?; // offset_for_top_to_bottom_field
            let cycle = bits.exp_golomb()?;
            if cycle > 255 {
                return Err(CodecError::OutOfRange("num_ref_frames_in_pic_order_cnt_cycle"));
            }
            for _ in 0..cycle {
                bits.signed_exp_golomb()?;
            }
        }
        2 => {}
        _ => return Err(CodecError::OutOfRange("pic_order_cnt_type")),
    }
    bits.exp_golomb()?; // max_num_ref_frames
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    let width_blocks = bits.exp_golomb()?.saturating_add(1);
    let height_units = bits.exp_golomb()?.saturating_add(1);
    let frame_blocks_only = bits.bit()?;
    if !frame_blocks_only {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let crop =
        if bits.bit()? { [bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?] } else { [0; 4] };

    // §7.4.2.1.1: fields count their rows twice; the crop is given in chroma samples where there are any.
    let fields = if frame_blocks_only { 1 } else { 2 };
    let (unit_x, unit_y) = match chroma_format {
        _ if separate_planes => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = crop;
    let width = shown(width_blocks, 16, left, right, unit_x).ok_or(CodecError::OutOfRange("the picture's width"))?;
    let height =
        shown(height_units, 16 * fields, top, bottom, unit_y * fields).ok_or(CodecError::OutOfRange("the picture's height"))?;
    Ok(PictureSize { width, height })
}

/// What the decoder configuration of the High profiles repeats of the SPS: `chroma_format_idc`, and the bit depths of luma and chroma less 8
/// (ISO/IEC 14496-15 §5.3.3.1.2). `None` for other profiles, whose configuration ends before.
///
/// # Errors
/// Where it ends early or has values out of range.
pub(super) fn chroma_format(sps: &[u8]) -> Result<Option<[u8; 3]>, CodecError> {
    let payload = without_emulation_prevention(sps.get(1..).ok_or(CodecError::Truncated)?);
    let mut bits = BitReader::new(&payload);
    if !matches!(bits.bits(8)?, 100 | 110 | 122 | 144) {
        return Ok(None);
    }
    bits.skip(16)?; // constraint flags, level
    bits.exp_golomb()?; // seq_parameter_set_id
    let format = bits.exp_golomb()?;
    if format == 3 {
        bits.skip(1)?; // separate_colour_plane_flag
    }
    let (luma, chroma) = (bits.exp_golomb()?, bits.exp_golomb()?);
    match (u8::try_from(format), u8::try_from(luma), u8::try_from(chroma)) {
        (Ok(format @ 0..=3), Ok(luma @ 0..=6), Ok(chroma @ 0..=6)) => Ok(Some([format, luma, chroma])),
        _ => Err(CodecError::OutOfRange("the chroma format")),
    }
}

/// §7.3.2.1.1.1: the list ends early, repeating its last value, where the next scale is 0.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: u32) -> Result<(), CodecError> {
    let mut last = 8_i64;
    for _ in 0..size {
        let delta = bits.signed_exp_golomb()?;
        if !(-128..=127).contains(&delta) {
            return Err(CodecError::OutOfRange("a scaling list"));
        }
        last = (last + delta + 256) % 256;
        if last == 0 {
            break;
        }
    }
    Ok(())
}

/// The kinds of NAL unit that matter here, H.264 table 7-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NalKind {
    /// A slice of a picture that needs others.
    Slice,
    /// A slice of an IDR picture: decoding can start here.
    Idr,
    Sei,
    Sps,
    Pps,
    AccessUnitDelimiter,
    Other,
}

impl NalKind {
    /// By the first byte of the NAL unit.
    #[must_use]
    pub fn of(header: u8) -> Self {
        match header & 0x1f {
            1..=4 => Self::Slice,
            5 => Self::Idr,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::AccessUnitDelimiter,
            _ => Self::Other,
        }
    }
}

/// Looks through an access unit.
///
/// # Errors
/// Where a length points beyond the end.
pub fn contents(access_unit: &[u8], length_bytes: usize) -> Result<Contents, CodecError> {
    let mut found = Contents::default();
    for nal in nal_units(access_unit, length_bytes) {
        match NalKind::of(nal?[0]) {
            NalKind::Slice => found.picture = true,
            NalKind::Idr => found = Contents { picture: true, keyframe: true },
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::BitWriter;
    use super::*;

    /// A High profile SPS with two scaling lists, one of which ends early.
    fn high_sps(chroma_format: u32, (width_blocks, height_units): (u32, u32), fields: bool, crop: [u32; 4]) -> Vec<u8> {
        let mut sps = BitWriter::default();
        sps.bits(8, 100).bits(8, 0).bits(8, 40).ue(0).ue(chroma_format);
        if chroma_format == 3 {
            sps.bits(1, 0);
        }
        sps.ue(0).ue(0).bits(1, 0).bits(1, 1);
        sps.bits(1, 1).ue(16); // first list: delta −8, so 0, the end
        sps.bits(1, 1);
        for _ in 0..16 {
            sps.ue(1); // second list: 9, 10, …
        }
        sps.bits(if chroma_format == 3 { 10 } else { 6 }, 0);
        sps.ue(0).ue(0).ue(4).ue(3).bits(1, 0).ue(width_blocks - 1).ue(height_units - 1);
        sps.bits(1, u32::from(!fields));
        if fields {
            sps.bits(1, 0);
        }
        sps.bits(1, 1).bits(1, 1);
        crop.into_iter().for_each(|side| {
            sps.ue(side);
        });
        sps.bits(1, 0).bits(1, 1).nal(&[0x67])
    }

    fn size(width: u16, height: u16) -> Result<PictureSize, CodecError> {
        Ok(PictureSize { width, height })
    }

    #[test]
    fn sizes_are_read_through_scaling_lists_and_cropped_in_chroma_units() {
        assert_eq!(picture_size(&high_sps(1, (120, 68), false, [0, 0, 0, 4])), size(1920, 1080));
        assert_eq!(picture_size(&high_sps(1, (120, 34), true, [0, 0, 0, 2])), size(1920, 1080));
        assert_eq!(picture_size(&high_sps(2, (40, 30), false, [1, 1, 2, 2])), size(636, 476));
        assert_eq!(picture_size(&high_sps(3, (40, 30), false, [1, 1, 2, 2])), size(638, 476));
        assert_eq!(picture_size(&high_sps(0, (40, 30), false, [0, 0, 0, 0])), size(640, 480));
    }

    #[test]
    fn a_baseline_sps_of_x264_is_read() {
        // x264, 640x360, Constrained Baseline 3.0.
        let sps = [
            0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03,
            0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48,
        ];
        assert_eq!(picture_size(&sps), size(640, 360));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(picture_size(&high_sps(1, (2_000, 30), false, [0; 4])).is_err());
        assert!(picture_size(&high_sps(1, (40, 30), false, [160, 160, 0, 0])).is_err());
        assert!(picture_size(&[]).is_err());
        assert!(picture_size(&[0x68, 1, 2, 3]).is_err());
    }

    fn avcc(sps: &[u8], length_size_minus_one: u8) -> Vec<u8> {
        let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xfc | length_size_minus_one, 0xe1];
        avcc.extend(u16::try_from(sps.len()).unwrap().to_be_bytes());
        avcc.extend(sps);
        avcc.extend([1, 0, 2, 0x68, 0xce]);
        avcc
    }

    #[test]
    fn a_configuration_names_its_length_size_and_picture() {
        let sps = high_sps(1, (80, 45), false, [0; 4]);
        let config = AvcConfig::parse(&avcc(&sps, 3)).unwrap();
        assert_eq!((config.profile, config.level, config.nal_length_bytes), (100, 40, 4));
        assert_eq!(config.picture, PictureSize { width: 1280, height: 720 });
        assert!(AvcConfig::parse(&avcc(&sps, 2)).is_err(), "lengths of three bytes are not allowed");
        for end in 0..avcc(&sps, 3).len() {
            assert!(AvcConfig::parse(&avcc(&sps, 3)[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn access_units_tell_pictures_from_side_information() {
        let idr = [0, 0, 0, 2, 0x09, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0x65];
        assert_eq!(contents(&idr, 4), Ok(Contents { picture: true, keyframe: true }));
        assert_eq!(contents(&[0, 1, 0x41], 2), Ok(Contents { picture: true, keyframe: false }));
        assert_eq!(contents(&[1, 0x06, 1, 0x09], 1), Ok(Contents::default()), "SEI and a delimiter");
        assert_eq!(contents(&[1, 0x67, 1, 0x68], 1), Ok(Contents::default()), "parameter sets alone");
        assert_eq!(contents(&[0, 0, 0, 2, 0x65], 4), Err(CodecError::Truncated));
        assert_eq!(contents(&[0, 0], 4), Err(CodecError::Truncated));
        assert_eq!(contents(&[], 4), Ok(Contents::default()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300), length_bytes in 1_usize..=4) {
            let _ = AvcConfig::parse(&data);
            let _ = contents(&data, length_bytes);
            let mut sps = vec![0x67, 100];
            sps.extend(&data);
            let _ = picture_size(&sps);
        }
    }
}
