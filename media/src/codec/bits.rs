//! Reading bit fields, most significant bit first, and the Exp-Golomb codes of H.264.

use super::CodecError;

/// A position in a byte slice, counted in bits.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    position_bits: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position_bits: 0 }
    }

    pub(super) fn bit(&mut self) -> Result<bool, CodecError> {
        let byte = self.data.get(self.position_bits / 8).ok_or(CodecError::Truncated)?;
        let bit = byte >> (7 - self.position_bits % 8) & 1;
        self.position_bits += 1;
        Ok(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, CodecError> {
        debug_assert!(count <= 32);
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.bit()?)))
    }

    pub(super) fn skip(&mut self, count: u32) -> Result<(), CodecError> {
        (0..count).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// `ue(v)` of H.264 §9.1. Codes of more than 32 leading zeroes have no value in 32 bits and are refused.
    pub(super) fn exp_golomb(&mut self) -> Result<u32, CodecError> {
        let mut leading_zeroes = 0;
        while !self.bit()? {
            leading_zeroes += 1;
            if leading_zeroes > 31 {
                return Err(CodecError::OutOfRange("an Exp-Golomb code"));
            }
        }
        Ok((1 << leading_zeroes) - 1 + self.bits(leading_zeroes)?)
    }

    /// `se(v)` of H.264 §9.1.1.
    pub(super) fn signed_exp_golomb(&mut self) -> Result<i64, CodecError> {
        let code = i64::from(self.exp_golomb()?);
        Ok(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_count_up_and_alternate_in_sign() {
        // 1 010 011 00100 00101, padded.
        let data = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut reader = BitReader::new(&data);
        let codes: Vec<u32> = (0..5).map(|_| reader.exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut reader = BitReader::new(&data);
        let codes: Vec<i64> = (0..5).map(|_| reader.signed_exp_golomb().unwrap()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_end_of_the_data_and_endless_codes_are_errors() {
        assert_eq!(BitReader::new(&[]).bit(), Err(CodecError::Truncated));
        assert_eq!(BitReader::new(&[0xff]).bits(9), Err(CodecError::Truncated));
        assert!(BitReader::new(&[0; 64]).exp_golomb().is_err());
        assert_eq!(BitReader::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).exp_golomb(), Ok(u32::MAX - 1));
    }
}
