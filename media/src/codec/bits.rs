//! Reading bit fields, most significant bit first, and the Exp-Golomb codes of H.264 and HEVC.

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

/// Writes parameter sets bit by bit.
#[cfg(test)]
#[derive(Default)]
pub(super) struct BitWriter(Vec<bool>);

#[cfg(test)]
impl BitWriter {
    pub(super) fn bits(&mut self, count: u32, value: u32) -> &mut Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// `ue(v)`.
    pub(super) fn ue(&mut self, value: u32) -> &mut Self {
        let length = 32 - (value + 1).leading_zeros();
        self.bits(length - 1, 0).bits(length, value + 1)
    }

    /// Filled up with zeroes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
        self.0.chunks(8).map(byte).collect()
    }

    /// A NAL unit: its header, and the bytes with emulation prevention.
    pub(super) fn nal(&self, header: &[u8]) -> Vec<u8> {
        let mut nal = header.to_vec();
        let mut zeroes = 0;
        for byte in self.bytes() {
            if zeroes >= 2 && byte <= 3 {
                nal.push(3);
                zeroes = 0;
            }
            zeroes = if byte == 0 { zeroes + 1 } else { 0 };
            nal.push(byte);
        }
        nal
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
