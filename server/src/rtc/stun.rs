//! As much of STUN as tells whom a stranger's datagram is for. Pure; str0m reads the rest, and checks that it is no lie.

const HEADER_BYTES: usize = 20;
const MAGIC_COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const BINDING_REQUEST: [u8; 2] = [0, 1];
const USERNAME: u16 = 6;

/// The first half of the user name in a binding request, which is the `ice-ufrag` of the one it is sent to (RFC 8445 §7.2.2). `None` where the datagram
/// is anything else.
pub(super) fn addressee(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER_BYTES)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    // RFC 8489 §14: type, length, value, filled up to four bytes.
    while let Some((&[t0, t1, l0, l1], rest)) = attributes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([t0, t1]) == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        [&[0, 1, 0, attributes.len() as u8][..], &MAGIC_COOKIE, &[7; 12], attributes].concat()
    }

    #[test]
    fn the_addressee_stands_before_the_colon() {
        assert_eq!(addressee(&request(b"\0\x06\0\x09ours:them\0\0\0")), Some("ours"));
        assert_eq!(addressee(&request(b"\x80\x22\0\x03abc\0\0\x06\0\x09ours:them\0\0\0")), Some("ours"));
        assert_eq!(addressee(&request(b"\x80\x22\0\x03abc\0")), None);
        assert_eq!(addressee(&request(b"\0\x06\0\xffours")), None);
        let mut response = request(b"\0\x06\0\x09ours:them\0\0\0");
        response[0] = 1;
        assert_eq!(addressee(&response), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(attributes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = addressee(&attributes);
            let _ = addressee(&request(&attributes));
        }
    }
}
