//! What H.264 and HEVC have in common: NAL units behind lengths, as MP4 and FLV have them, and the bytes inside them.
//!
//! ISO/IEC 14496-15 §4.3.2. What a NAL unit's kind means stands with its codec.

use std::borrow::Cow;

use super::CodecError;

/// What is in an access unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// There is a slice: a picture. Without one it is not a sample (SEI, delimiters or parameter sets alone).
    pub picture: bool,
    /// Decoding can start with that picture.
    pub keyframe: bool,
}

/// The NAL units of an access unit, each behind a length of `length_bytes` bytes. Empty ones are passed over; ends after the first error.
pub fn nal_units(access_unit: &[u8], length_bytes: usize) -> impl Iterator<Item = Result<&[u8], CodecError>> {
    let mut rest = access_unit;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            match split_nal(rest, length_bytes) {
                None => {
                    rest = &[];
                    return Some(Err(CodecError::Truncated));
                }
                Some((nal, after)) => {
                    rest = after;
                    if !nal.is_empty() {
                        return Some(Ok(nal));
                    }
                }
            }
        }
    })
}

fn split_nal(data: &[u8], length_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_at_checked(length_bytes)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

/// The size of the lengths, from the two lowest bits of a byte of the decoder configuration.
pub(super) fn length_bytes(length_size: u8) -> Result<usize, CodecError> {
    match length_size & 3 {
        2 => Err(CodecError::OutOfRange("the NAL unit length size")),
        minus_one => Ok(usize::from(minus_one) + 1),
    }
}

/// Splits off what stands behind a 16-bit length.
pub(super) fn take_u16_prefixed(data: &[u8]) -> Result<(&[u8], &[u8]), CodecError> {
    let (length, rest) = data.split_first_chunk::<2>().ok_or(CodecError::Truncated)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(CodecError::Truncated)
}

/// The payload without the 3 of each 0, 0, 3 (H.264 §7.4.1, HEVC §7.4.2); as it is where there is none.
pub(super) fn without_emulation_prevention(data: &[u8]) -> Cow<'_, [u8]> {
    if !data.windows(3).any(|window| window == [0, 0, 3]) {
        return Cow::Borrowed(data);
    }
    let mut payload = Vec::with_capacity(data.len());
    let mut zeroes = 0;
    for &byte in data {
        if zeroes >= 2 && byte == 3 {
            zeroes = 0;
            continue;
        }
        zeroes = if byte == 0 { zeroes + 1 } else { 0 };
        payload.push(byte);
    }
    Cow::Owned(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nal_units_come_back_as_they_were_laid(nals in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8)) {
            let mut unit = Vec::new();
            for nal in &nals {
                unit.extend(u32::try_from(nal.len()).unwrap().to_be_bytes());
                unit.extend(nal);
            }
            let read: Result<Vec<_>, _> = nal_units(&unit, 4).collect();
            prop_assert_eq!(read.unwrap(), nals);
        }
    }
}
