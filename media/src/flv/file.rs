//! FLV as a file (annex E.2 and E.3 of the specification): its tags are messages with their times.

use bytes::Bytes;

use crate::frame::TrackKind;

/// `TagType`, §E.4.1.
const AUDIO_TAG: u8 = 8;
const VIDEO_TAG: u8 = 9;
const TAG_HEADER_BYTES: usize = 11;
/// What follows each tag, and the file's header: the length of the tag before.
const PREVIOUS_TAG_SIZE_BYTES: usize = 4;

/// An audio or video tag, as the message it would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileTag {
    pub kind: TrackKind,
    pub timestamp_ms: i64,
    pub payload: Bytes,
}

/// The audio and video tags of a file, up to the first that is not there as a whole; none where it is no FLV file. Nothing is copied.
pub fn file_tags(file: &Bytes) -> impl Iterator<Item = FileTag> + use<> {
    let file = file.clone();
    let mut at = match file.first_chunk::<9>() {
        Some([b'F', b'L', b'V', _, _, offset @ ..]) => u32::from_be_bytes(*offset) as usize + PREVIOUS_TAG_SIZE_BYTES,
        _ => file.len(),
    };
    std::iter::from_fn(move || {
        loop {
            let &[kind, s0, s1, s2, t0, t1, t2, t3, ..] = file.get(at..)? else { return None };
            let body = at + TAG_HEADER_BYTES;
            let end = body + u32::from_be_bytes([0, s0, s1, s2]) as usize;
            if end > file.len() {
                return None;
            }
            at = end + PREVIOUS_TAG_SIZE_BYTES;
            let kind = match kind {
                AUDIO_TAG => TrackKind::Audio,
                VIDEO_TAG => TrackKind::Video,
                _ => continue,
            };
            // The highest byte comes last, and the whole has a sign.
            let timestamp_ms = i32::from_be_bytes([t3, t0, t1, t2]).into();
            return Some(FileTag { kind, timestamp_ms, payload: file.slice(body..end) });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, timestamp: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut tag = vec![kind, 0, 0, payload.len() as u8];
        tag.extend_from_slice(&timestamp);
        tag.extend_from_slice(&[0, 0, 0]);
        tag.extend_from_slice(payload);
        tag.extend_from_slice(&[0, 0, 0, 11 + payload.len() as u8]);
        tag
    }

    #[test]
    fn tags_come_with_their_times_and_a_torn_one_ends_the_file() {
        let header = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0].to_vec();
        let parts = [header, tag(18, [0; 4], b"meta"), tag(9, [0, 1, 0, 2], b"picture"), tag(8, [0xff; 4], b"sound")];
        let file = Bytes::from(parts.concat());
        let expected = [
            FileTag { kind: TrackKind::Video, timestamp_ms: 0x0200_0100, payload: Bytes::from_static(b"picture") },
            FileTag { kind: TrackKind::Audio, timestamp_ms: -1, payload: Bytes::from_static(b"sound") },
        ];
        assert_eq!(file_tags(&file).collect::<Vec<_>>(), expected);
        assert_eq!(file_tags(&file.slice(..file.len() - 5)).collect::<Vec<_>>(), expected[..1]);
        assert_eq!(file_tags(&Bytes::from_static(b"\0\0\0\x18ftypisom")).next(), None);
    }
}
