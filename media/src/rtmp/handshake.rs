//! The handshake, §5.2, the simple one. Clients that offer the digest handshake of later Flash versions are answered with it too: their
//! own specification has them fall back.

use bytes::BytesMut;

use super::{Error, Output};

pub(super) const VERSION: u8 = 3;
/// Bytes of C1, S1, C2 and S2 each.
pub(super) const PART_BYTES: usize = 1536;

#[derive(Debug)]
pub(super) enum Handshake {
    /// C0, then C1, so far.
    Hello(BytesMut),
    /// C2, of which so much is to come. It repeats our S1, which proves nothing worth knowing.
    Echo { left: usize },
}

impl Handshake {
    pub(super) fn new() -> Self {
        Self::Hello(BytesMut::new())
    }

    /// Reads on, and answers where it is time to. Says whether the handshake is done; what follows it is left in `input`.
    pub(super) fn read(&mut self, input: &mut &[u8], output: &mut Output) -> Result<bool, Error> {
        if let Self::Hello(hello) = self {
            if hello.is_empty()
                && let Some(&version) = input.first()
                && version != VERSION
            {
                return Err(Error::NotRtmp(version));
            }
            hello.extend_from_slice(take(input, 1 + PART_BYTES - hello.len()));
            if hello.len() < 1 + PART_BYTES {
                return Ok(false);
            }
            let answer = answer(&hello[1..]);
            *self = Self::Echo { left: PART_BYTES };
            output.write(&answer);
        }
        if let Self::Echo { left } = self {
            *left -= take(input, *left).len();
            return Ok(*left == 0);
        }
        Ok(false)
    }
}

/// S0, S1 and S2.
fn answer(c1: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + 2 * PART_BYTES);
    bytes.push(VERSION);
    // S1: our time, which starts now, and zeros, which say that no digest is spoken here; then what shall look like noise.
    bytes.extend_from_slice(&[0; 8]);
    let mut noise = 0x2545_f491_u32;
    bytes.extend(
        std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .take(PART_BYTES - 8),
    );
    // S2: C1 with the time at which it was read.
    bytes.extend_from_slice(&c1[..4]);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&c1[8..]);
    bytes
}

/// Splits off as much of the input as there is, up to `most` bytes.
pub(super) fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn c1_is_echoed_and_what_follows_c2_is_left() {
        let mut hello = vec![VERSION];
        hello.extend((0..PART_BYTES).map(|n| (n % 251) as u8));
        let mut handshake = Handshake::new();
        let mut output = Output::default();
        for piece in hello.chunks(100) {
            assert!(!handshake.read(&mut &piece[..], &mut output).unwrap());
        }
        let answer = output.copy_to_bytes(output.remaining());
        assert_eq!(answer.len(), 1 + 2 * PART_BYTES);
        assert_eq!(answer[0], VERSION);
        assert_eq!(answer[5..9], [0; 4], "no digest");
        assert_eq!(answer[1 + PART_BYTES..][..4], hello[1..5]);
        assert_eq!(answer[1 + PART_BYTES + 8..], hello[9..]);
        let mut rest: &[u8] = &[7; PART_BYTES + 3];
        assert!(handshake.read(&mut rest, &mut output).unwrap());
        assert_eq!(rest, [7; 3]);
    }

    #[test]
    fn what_is_not_rtmp_is_known_by_its_first_byte() {
        let mut output = Output::default();
        assert_eq!(Handshake::new().read(&mut &b"GET / HTTP/1.1"[..], &mut output), Err(Error::NotRtmp(b'G')));
        assert_eq!(Handshake::new().read(&mut &b"\x06"[..], &mut output), Err(Error::NotRtmp(6)));
        assert_eq!(output.remaining(), 0);
    }
}
