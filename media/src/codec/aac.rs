//! AAC: the `AudioSpecificConfig`.
//!
//! ISO/IEC 14496-3 §1.6.2.1 and §4.4.1. Raw frames are opaque: their length in samples follows from the configuration.

use super::{CodecError, bits::BitReader};

/// Table 1.18: the sampling frequencies that have an index.
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// The sampling frequencies taken where the configuration spells one out, in Hz.
const SAMPLE_RATE_RANGE: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// `syncExtensionType` of SBR, and of parametric stereo behind it.
const SYNC_EXTENSION: u32 = 0x2b7;
const SYNC_EXTENSION_PS: u32 = 0x548;

/// What is read of an `AudioSpecificConfig`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AacConfig {
    /// The core coder's audio object type: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub object_type: u8,
    /// The core coder's, in Hz. With SBR (HE-AAC) the decoder puts out twice as many samples, in the same time.
    pub sample_rate: u32,
    /// As decoded.
    pub channels: u8,
    /// Samples of the core coder in a frame: 1024 or 960.
    pub frame_samples: u32,
    /// What the decoder puts out, in Hz: the core coder's, or with SBR that is signalled the one it says, mostly twice as many. With SBR that is not
    /// signalled, which shows in the frames alone, decoders put out twice as many too; time passes as the core coder's rate says in any case.
    pub output_sample_rate: u32,
    /// SBR is signalled explicitly, so HE-AAC: in front of the core's configuration, or behind it where old decoders do not look.
    pub sbr: bool,
}

impl AacConfig {
    /// # Errors
    /// Where it ends early, has reserved values, or is of another family than AAC Main, LC, SSR, LTP and HE-AAC.
    pub fn parse(asc: &[u8]) -> Result<Self, CodecError> {
        let mut bits = BitReader::new(asc);
        let mut object_type = object_type(&mut bits)?;
        let sample_rate = sample_rate(&mut bits)?;
        let channel_configuration = bits.bits(4)?;
        // 5 and 29 (parametric stereo) wrap the core: the extension's frequency, then the core's object type.
        let (mut sbr, mut parametric_stereo) = (matches!(object_type, 5 | 29), object_type == 29);
        let mut output_sample_rate = sample_rate;
        if sbr {
            output_sample_rate = self::sample_rate(&mut bits)?;
            object_type = self::object_type(&mut bits)?;
        }
        let object_type = match object_type {
            1..=4 => object_type as u8,
            23 | 39 => return Err(CodecError::Unsupported("low-delay AAC (LD, ELD)")),
            42 => return Err(CodecError::Unsupported("xHE-AAC (USAC)")),
            _ => return Err(CodecError::Unsupported("this audio object type of MPEG-4")),
        };
        let frame_samples = if bits.bit()? { 960 } else { 1024 };
        if bits.bit()? {
            bits.skip(14)?; // coreCoderDelay
        }
        bits.skip(1)?; // extensionFlag, always 0 for these object types
        let channels = match channel_configuration {
            0 => program_config_channels(&mut bits)?,
            1..=6 => channel_configuration as u8,
            7 | 12 | 14 => 8,
            11 => 7,
            _ => return Err(CodecError::OutOfRange("the AAC channel configuration")),
        };
        if !sbr && let Some(extension) = Extension::read(&mut bits) {
            (sbr, parametric_stereo, output_sample_rate) = (true, extension.parametric_stereo, extension.sample_rate);
        }
        let channels = if parametric_stereo && channels == 1 { 2 } else { channels };
        Ok(Self { object_type, sample_rate, channels, frame_samples, output_sample_rate, sbr })
    }
}

/// The header that stands in front of a raw frame of so many bytes where there is no configuration beside the stream (ISO/IEC 13818-7 §6.2). `None` where one
/// cannot say it: sampling frequencies without an index, channels that are spelled out, frames of 960 samples or of more than 8 KiB.
#[must_use]
pub fn adts(asc: &[u8], frame_bytes: usize) -> Option<[u8; 7]> {
    let config = AacConfig::parse(asc).ok()?;
    let rate = SAMPLE_RATES.iter().position(|rate| *rate == config.sample_rate)? as u8;
    let mut bits = BitReader::new(asc);
    object_type(&mut bits).ok()?;
    sample_rate(&mut bits).ok()?;
    let channels = bits.bits(4).ok().filter(|channels| (1..=7).contains(channels))? as u8;
    let length = u16::try_from(frame_bytes + 7).ok().filter(|length| *length < 1 << 13 && config.frame_samples == 1024)?;
    Some([
        0xff,
        0xf1,
        (config.object_type - 1) << 6 | rate << 2 | channels >> 2,
        channels << 6 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ])
}

/// SBR as it is signalled behind the core's configuration, §1.6.5.2: "backward compatible".
struct Extension {
    sample_rate: u32,
    parametric_stereo: bool,
}

impl Extension {
    /// `None` where there is none; what cannot be read is none, for decoders do not mind it either.
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        if bits.bits(11).ok()? != SYNC_EXTENSION || bits.bits(5).ok()? != 5 || !bits.bit().ok()? {
            return None;
        }
        let sample_rate = sample_rate(bits).ok()?;
        let parametric_stereo = bits.bits(11).is_ok_and(|sync| sync == SYNC_EXTENSION_PS) && bits.bit().unwrap_or(false);
        Some(Self { sample_rate, parametric_stereo })
    }
}

fn object_type(bits: &mut BitReader<'_>) -> Result<u32, CodecError> {
    match bits.bits(5)? {
        31 => Ok(32 + bits.bits(6)?),
        object_type => Ok(object_type),
    }
}

fn sample_rate(bits: &mut BitReader<'_>) -> Result<u32, CodecError> {
    let rate = match bits.bits(4)? as usize {
        15 => Some(bits.bits(24)?).filter(|rate| SAMPLE_RATE_RANGE.contains(rate)),
        index => SAMPLE_RATES.get(index).copied(),
    };
    rate.ok_or(CodecError::OutOfRange("the AAC sampling frequency"))
}

/// Counts the channels of a `program_config_element`, §4.4.1.1.
fn program_config_channels(bits: &mut BitReader<'_>) -> Result<u8, CodecError> {
    bits.skip(4 + 2 + 4)?; // instance, object type, sampling frequency
    let (front, side, back) = (bits.bits(4)?, bits.bits(4)?, bits.bits(4)?);
    let low_frequency = bits.bits(2)?;
    bits.skip(3 + 4)?; // associated data, coupling channels
    for mixdown_bits in [4, 4, 3] {
        if bits.bit()? {
            bits.skip(mixdown_bits)?;
        }
    }
    let mut channels = low_frequency;
    for _ in 0..front + side + back {
        channels += if bits.bit()? { 2 } else { 1 };
        bits.skip(4)?;
    }
    u8::try_from(channels).ok().filter(|channels| *channels > 0).ok_or(CodecError::OutOfRange("the number of AAC channels"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn a_header_in_front_of_a_frame_says_what_the_configuration_says() {
        // LC, 48 kHz, stereo.
        assert_eq!(super::adts(&[0x11, 0x90], 0x123), Some([0xff, 0xf1, 0x4c, 0x80, 0x25, 0x5f, 0xfc]));
        assert_eq!(super::adts(&[0x11, 0x90], 9_000), None);
        assert_eq!(super::adts(&[], 1), None);
    }

    use super::*;

    fn config(object_type: u8, sample_rate: u32, channels: u8, frame_samples: u32, sbr: bool) -> AacConfig {
        let output_sample_rate = if sbr { 2 * sample_rate } else { sample_rate };
        AacConfig { object_type, sample_rate, channels, frame_samples, output_sample_rate, sbr }
    }

    #[test]
    fn the_usual_configurations_are_read() {
        assert_eq!(AacConfig::parse(&[0x12, 0x10]), Ok(config(2, 44_100, 2, 1024, false)));
        assert_eq!(AacConfig::parse(&[0x11, 0x90, 0x56, 0xe5, 0x00]), Ok(config(2, 48_000, 2, 1024, false)));
        assert_eq!(AacConfig::parse(&[0x11, 0x94]), Ok(config(2, 48_000, 2, 960, false)));
        assert_eq!(AacConfig::parse(&[0x11, 0xb0]), Ok(config(2, 48_000, 6, 1024, false)));
    }

    #[test]
    fn he_aac_has_the_rate_of_its_core_and_parametric_stereo_two_channels() {
        // 00101 0111 0010 0100 00010 000: SBR, 22.05 kHz core, 2 channels, 44.1 kHz output, LC.
        assert_eq!(AacConfig::parse(&[0x2b, 0x92, 0x08, 0x00]), Ok(config(2, 22_050, 2, 1024, true)));
        // 11101 0110 0001 0011 00010 000: the same at 24 and 48 kHz, mono core with parametric stereo.
        assert_eq!(AacConfig::parse(&[0xeb, 0x09, 0x88, 0x00]), Ok(config(2, 24_000, 2, 1024, true)));
    }

    #[test]
    fn sbr_behind_the_core_s_configuration_is_found_and_what_stands_there_else_is_not() {
        // 00010 0111 0010 000, then 01010110111 00101 1 0100 and, with parametric stereo, 10101001000 1.
        assert_eq!(AacConfig::parse(&[0x13, 0x90, 0x56, 0xe5, 0xa0]), Ok(config(2, 22_050, 2, 1024, true)));
        assert_eq!(AacConfig::parse(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80]), Ok(config(2, 22_050, 2, 1024, true)));
        assert_eq!(AacConfig::parse(&[0x13, 0x88, 0x56, 0xe5, 0x20]), Ok(config(2, 22_050, 1, 1024, false)), "it says: none");
        assert_eq!(AacConfig::parse(&[0x13, 0x90, 0x56, 0xe5]), Ok(config(2, 22_050, 2, 1024, false)), "cut");
        assert_eq!(AacConfig::parse(&[0x13, 0x90, 0xff, 0xff, 0xff]), Ok(config(2, 22_050, 2, 1024, false)));
    }

    #[test]
    fn a_spelt_out_rate_is_taken_within_reason() {
        // 00010 1111 (24-bit rate) 0010 000.
        let asc = |rate: u32| ((0x2f_u64 << 24 | u64::from(rate)) << 7 | 0x10).to_be_bytes()[3..].to_vec();
        assert_eq!(AacConfig::parse(&asc(37_800)), Ok(config(2, 37_800, 2, 1024, false)));
        assert!(AacConfig::parse(&asc(0)).is_err());
        assert!(AacConfig::parse(&asc(1_000_000)).is_err());
    }

    #[test]
    fn other_families_and_torn_configurations_are_refused() {
        assert_eq!(AacConfig::parse(&[]), Err(CodecError::Truncated));
        assert_eq!(AacConfig::parse(&[0x12]), Err(CodecError::Truncated));
        assert!(matches!(AacConfig::parse(&[0xf9, 0x46, 0x40]), Err(CodecError::Unsupported(_))), "USAC");
        assert!(AacConfig::parse(&[0x17, 0x10]).is_err(), "reserved frequency index");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(asc in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(config) = AacConfig::parse(&asc) {
                prop_assert!(SAMPLE_RATE_RANGE.contains(&config.sample_rate) && config.channels > 0);
            }
        }
    }
}
