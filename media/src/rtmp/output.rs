//! Bytes that wait to be sent: small ones gathered, large ones shared.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Pieces below this are cheaper copied than referred to.
const SHARED_FROM_BYTES: usize = 512;

/// What a session has to say. Hand it to a vectored write, which takes what was sent out of it.
///
/// Grows with each answer and each media message: write it out before more is read or sent.
#[derive(Debug, Default)]
pub struct Output {
    parts: VecDeque<Bytes>,
    /// Comes after the parts.
    tail: BytesMut,
    bytes: usize,
}

impl Output {
    /// Appends a copy.
    pub fn write(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.bytes += bytes.len();
    }

    /// Appends without copying, where that is worth it.
    pub fn share(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_FROM_BYTES {
            return self.write(&bytes);
        }
        if !self.tail.is_empty() {
            self.parts.push_back(self.tail.split().freeze());
        }
        self.bytes += bytes.len();
        self.parts.push_back(bytes);
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&self.tail, |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail: Option<&[u8]> = (!self.tail.is_empty()).then_some(&self.tail);
        let pieces = self.parts.iter().map(|part| &part[..]).chain(tail);
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes, "more was sent than there is");
        self.bytes -= count;
        let mut left = count;
        while let Some(part) = self.parts.front_mut() {
            if left < part.len() {
                part.advance(left);
                return;
            }
            left -= part.len();
            self.parts.pop_front();
        }
        self.tail.advance(left);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_come_out_in_the_order_in_which_they_went_in(
            pieces in prop::collection::vec((0_usize..2_000, any::<bool>()), 0..20),
            step in 1_usize..3_000,
        ) {
            let mut output = Output::default();
            let mut expected = Vec::new();
            for (n, (length, shared)) in pieces.into_iter().enumerate() {
                let piece = vec![n as u8; length];
                expected.extend_from_slice(&piece);
                if shared { output.share(piece.into()) } else { output.write(&piece) }
            }
            let mut sent = Vec::new();
            while output.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let used = output.chunks_vectored(&mut slices);
                let seen: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
                let taken = seen.len().min(step);
                sent.extend_from_slice(&seen[..taken]);
                output.advance(taken);
            }
            prop_assert_eq!(sent, expected);
        }
    }
}
