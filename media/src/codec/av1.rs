//! AV1: the configuration box, the sequence header's picture size, and the OBUs of a temporal unit.
//!
//! AV1 Bitstream & Decoding Process Specification, and "AV1 Codec ISO Media File Format Binding". Tiles are not looked into.

use super::CodecError;
use super::bits::BitReader;
use super::nal::Contents;
use super::picture::{MAX_SIDE_PIXELS, PictureSize};

/// `obu_type`, §6.2.2.
mod obu_kind {
    pub(super) const SEQUENCE_HEADER: u8 = 1;
    pub(super) const TEMPORAL_DELIMITER: u8 = 2;
    pub(super) const FRAME_HEADER: u8 = 3;
    pub(super) const FRAME: u8 = 6;
}

/// Bytes of an `AV1CodecConfigurationRecord` before its OBUs.
const RECORD_BYTES: usize = 4;
/// `marker` and `version`, both 1.
const RECORD_VERSION: u8 = 0x81;
/// `frame_type`, §6.8.2.
const KEY_FRAME: u32 = 0;
/// The longest `leb128()`, §4.10.5.
const MAX_LEB128_BYTES: usize = 8;

/// What is read of an `AV1CodecConfigurationRecord`, §2.3 of the binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Av1Config {
    /// The largest picture of the sequence, which is what a frame has that says nothing else.
    pub picture: PictureSize,
    /// All frames are keyframes, and shown: they do not say so.
    pub still: bool,
}

impl Av1Config {
    /// # Errors
    /// Where it ends early, has values out of range, or comes without a sequence header.
    pub fn parse(av1c: &[u8]) -> Result<Self, CodecError> {
        let (head, record_obus) = av1c.split_at_checked(RECORD_BYTES).ok_or(CodecError::Truncated)?;
        if head[0] != RECORD_VERSION {
            return Err(CodecError::OutOfRange("the version of the AV1 configuration"));
        }
        for obu in obus(record_obus) {
            let obu = obu?;
            if obu.kind == obu_kind::SEQUENCE_HEADER {
                return Self::of_sequence_header(obu.payload);
            }
        }
        Err(CodecError::Unsupported("an AV1 configuration without a sequence header"))
    }

    /// §5.5.1, as far as the picture's size.
    fn of_sequence_header(payload: &[u8]) -> Result<Self, CodecError> {
        let mut bits = BitReader::new(payload);
        bits.skip(3 + 1)?; // seq_profile, still_picture
        let still = bits.bit()?; // reduced_still_picture_header
        if still {
            bits.skip(5)?; // seq_level_idx
        } else {
            skip_operating_points(&mut bits)?;
        }
        let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
        let side = |less_one: u32| {
            let side = Some(less_one + 1).filter(|side| *side <= MAX_SIDE_PIXELS);
            side.and_then(|side| u16::try_from(side).ok())
        };
        let width = side(bits.bits(width_bits)?).ok_or(CodecError::OutOfRange("the picture's width"))?;
        let height = side(bits.bits(height_bits)?).ok_or(CodecError::OutOfRange("the picture's height"))?;
        Ok(Self { picture: PictureSize { width, height }, still })
    }
}

/// `timing_info`, `decoder_model_info` and what stands between them and the frame size, §5.5.1 to §5.5.5.
fn skip_operating_points(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(32 + 32)?; // num_units_in_display_tick, time_scale
        if bits.bit()? {
            // num_ticks_per_picture_minus_1 is uvlc(), which is the Exp-Golomb code.
            bits.exp_golomb()?;
        }
        if bits.bit()? {
            delay_bits = Some(bits.bits(5)? + 1);
            bits.skip(32 + 5 + 5)?; // num_units_in_decoding_tick and two lengths
        }
    }
    let with_display_delay = bits.bit()?;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?; // operating_point_idc
        if bits.bits(5)? > 7 {
            bits.skip(1)?; // seq_tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?; // operating_parameters_info
        }
        if with_display_delay && bits.bit()? {
            bits.skip(4)?; // initial_display_delay_minus_1
        }
    }
    Ok(())
}

struct Obu<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// The OBUs one behind the other, §5.3. One without a size reaches to the end. Ends after the first error.
fn obus(data: &[u8]) -> impl Iterator<Item = Result<Obu<'_>, CodecError>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (obu, after) = match split_obu(rest) {
            Some((obu, after)) => (Ok(obu), after),
            None => (Err(CodecError::Truncated), &[][..]),
        };
        rest = after;
        Some(obu)
    })
}

fn split_obu(data: &[u8]) -> Option<(Obu<'_>, &[u8])> {
    let (header, mut rest) = data.split_first()?;
    let (kind, with_extension, with_size) = (header >> 3 & 0x0f, header & 4 != 0, header & 2 != 0);
    if with_extension {
        rest = rest.get(1..)?;
    }
    let (payload, after) = if with_size {
        let (size, rest) = leb128(rest)?;
        rest.split_at_checked(size)?
    } else {
        (rest, &[][..])
    };
    Some((Obu { kind, payload }, after))
}

fn leb128(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in data.iter().enumerate().take(MAX_LEB128_BYTES) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &data[at + 1..]));
        }
    }
    None
}

/// How many bytes of temporal delimiters a temporal unit begins with: MP4 leaves them out (§2.4 of the binding).
#[must_use]
pub fn delimiter_bytes(temporal_unit: &[u8]) -> usize {
    let mut rest = temporal_unit;
    while let Some((Obu { kind: obu_kind::TEMPORAL_DELIMITER, .. }, after)) = split_obu(rest) {
        rest = after;
    }
    temporal_unit.len() - rest.len()
}

/// Looks through a temporal unit. It is a keyframe where its first frame is a keyframe that is shown, §5.9.2. `still` is [`Av1Config::still`].
///
/// # Errors
/// Where an OBU ends behind the end of the data, or a frame header early.
pub fn contents(temporal_unit: &[u8], still: bool) -> Result<Contents, CodecError> {
    let mut found = Contents::default();
    for obu in obus(temporal_unit) {
        let obu = obu?;
        if found.picture || !matches!(obu.kind, obu_kind::FRAME | obu_kind::FRAME_HEADER) {
            continue;
        }
        found.picture = true;
        let mut bits = BitReader::new(obu.payload);
        let shows_existing = !still && bits.bit()?;
        found.keyframe = still || !shows_existing && bits.bits(2)? == KEY_FRAME && bits.bit()?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::BitWriter;
    use super::*;

    /// SVT-AV1, Main, 320×180.
    const AV1C: &[u8] = &[0x81, 0, 0x0c, 0, 0x0a, 0x0b, 2, 0, 0, 5, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 2];

    fn config(width: u16, height: u16) -> Result<Av1Config, CodecError> {
        Ok(Av1Config { picture: PictureSize { width, height }, still: false })
    }

    fn record(sequence_header: &BitWriter) -> Vec<u8> {
        let payload = sequence_header.bytes();
        [&[RECORD_VERSION, 0, 0, 0, 0x0a, u8::try_from(payload.len()).unwrap()], &payload[..]].concat()
    }

    /// A sequence header with all that can stand before the frame size.
    fn full_sequence_header(width: u32, height: u32) -> BitWriter {
        let mut header = BitWriter::default();
        header.bits(5, 0).bits(1, 1).bits(32, 1).bits(32, 25).bits(1, 1).ue(3); // timing_info
        header.bits(1, 1).bits(5, 9).bits(32, 7).bits(10, 0); // decoder_model_info, delays of 10 bits
        header.bits(1, 1).bits(5, 1);
        header.bits(12, 0x101).bits(5, 8).bits(1, 1).bits(1, 1).bits(10, 3).bits(10, 4).bits(1, 0).bits(1, 1).bits(4, 2);
        header.bits(12, 0x103).bits(5, 4).bits(1, 0).bits(1, 0);
        header.bits(4, 15).bits(4, 13).bits(16, width - 1).bits(14, height - 1).bits(8, 0);
        header
    }

    #[test]
    fn the_configuration_of_an_encoder_is_read_and_no_prefix_of_it() {
        assert_eq!(Av1Config::parse(AV1C), config(320, 180));
        for end in 0..AV1C.len() {
            assert!(Av1Config::parse(&AV1C[..end]).is_err(), "cut at {end}");
        }
        assert!(matches!(Av1Config::parse(&AV1C[..4]), Err(CodecError::Unsupported(_))), "no sequence header");
        assert!(Av1Config::parse(&[&[0x01], &AV1C[1..]].concat()).is_err(), "no marker");
    }

    #[test]
    fn the_size_is_read_behind_timing_and_operating_points() {
        assert_eq!(Av1Config::parse(&record(&full_sequence_header(16_384, 8_640))), config(16_384, 8_640));
        assert!(Av1Config::parse(&record(&full_sequence_header(16_385, 8_640))).is_err());
        let mut still = BitWriter::default();
        still.bits(3, 0).bits(2, 3).bits(5, 0).bits(4, 9).bits(4, 8).bits(10, 639).bits(9, 359).bits(8, 0);
        let picture = PictureSize { width: 640, height: 360 };
        assert_eq!(Av1Config::parse(&record(&still)), Ok(Av1Config { picture, still: true }));
    }

    #[test]
    fn temporal_units_tell_keyframes_from_others_and_from_side_information() {
        let told = |unit: &[u8]| contents(unit, false).map(|found| (found.picture, found.keyframe));
        assert_eq!(told(&[0x12, 0, 0x0a, 1, 0, 0x32, 1, 0x10]), Ok((true, true)), "shown keyframe behind a sequence header");
        assert_eq!(told(&[0x32, 1, 0x00]), Ok((true, false)), "keyframe to be shown later");
        assert_eq!(told(&[0x32, 1, 0x30]), Ok((true, false)), "inter frame");
        assert_eq!(told(&[0x1a, 1, 0x90]), Ok((true, false)), "a frame shown again");
        assert_eq!(told(&[0x32, 1, 0x30, 0x32, 1, 0x10]), Ok((true, false)), "what counts is the first");
        assert_eq!(told(&[0x36, 0, 1, 0x10]), Ok((true, true)), "with an extension");
        assert_eq!(told(&[0x30, 0x10]), Ok((true, true)), "without a size");
        assert_eq!(told(&[0x12, 0, 0x2a, 1, 4]), Ok((false, false)), "metadata alone");
        assert_eq!(told(&[0x32, 5, 0x10]), Err(CodecError::Truncated));
        assert_eq!(told(&[0x32, 0]), Err(CodecError::Truncated), "an empty frame");
        assert_eq!(contents(&[0x32, 1, 0xff], true), Ok(Contents { picture: true, keyframe: true }));
    }

    #[test]
    fn delimiters_in_front_are_found() {
        assert_eq!(delimiter_bytes(&[0x12, 0, 0x32, 1, 0x10]), 2);
        assert_eq!(delimiter_bytes(&[0x16, 0, 0, 0x12, 0, 0x32, 1, 0x10]), 5);
        assert_eq!(delimiter_bytes(&[0x32, 1, 0x10, 0x12, 0]), 0);
        assert_eq!(delimiter_bytes(&[0x12, 0]), 2);
        assert_eq!(delimiter_bytes(&[]), 0);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300), still: bool) {
            let _ = Av1Config::parse(&data);
            let _ = contents(&data, still);
            prop_assert!(delimiter_bytes(&data) <= data.len());
            let length = u8::try_from(data.len().min(127)).unwrap();
            let _ = Av1Config::parse(&[&[RECORD_VERSION, 0, 0, 0, 0x0a, length], &data[..usize::from(length)]].concat());
        }
    }
}
