//! A growing recording as a plain MP4: what stands before its media, so that it can be watched from its start while it is written.
//!
//! ```text
//! ftyp | moov (the index so far) | free | mdat (64 bit) ->   made here
//!                                        (moof mdat)*        the growing file's own bytes
//! ```
//!
//! A recording's media are only ever appended to. So what is made here depends on the recording and on the number of media bytes alone, and is made again
//! the same whenever the same is asked.

use bytes::Bytes;

use super::boxes::{HEADER_BYTES, LARGE_HEADER_BYTES, free_header, ftyp, large_mdat_header};
use super::index::SampleIndex;
use super::moov::{self, Placement};

/// The shortest front: the index of some two minutes.
const MIN_FRONT_BYTES: u64 = 64 << 10;
/// With so many media bytes chunk offsets take 64 bits. No front is as long as what is missing to the 32 bits' end.
const WIDE_FROM_BYTES: u64 = 1 << 31;

/// What stands before the first `media_bytes` of a recording's media; `None` where not one sample lies wholly in them. `media_bytes` should be
/// the end of a fragment, counted from where the first one begins; the samples of one that is not there as a whole are left out where they do not lie in it.
///
/// Lengths are powers of two, and double: the media of two fronts that are not far apart lie at the same place. A player that asks anew in mid-play and gets
/// the longer one finds the bytes where it looks for them.
#[must_use]
pub fn front(index: &SampleIndex, media_bytes: u64) -> Option<Bytes> {
    let index = index.up_to(media_bytes);
    if index.is_empty() {
        return None;
    }
    let wide = media_bytes >= WIDE_FROM_BYTES;
    let mut front = ftyp(&index);
    let needed_bytes = front.len() as u64 + index.moov_bytes() + u64::from(HEADER_BYTES + LARGE_HEADER_BYTES);
    let length = needed_bytes.next_power_of_two().max(MIN_FRONT_BYTES);
    front.reserve_exact(length as usize - front.len());
    front.extend_from_slice(&moov::full(&index, Placement { media_offset: length, wide }));
    let padding = length - front.len() as u64 - u64::from(LARGE_HEADER_BYTES);
    front.extend_from_slice(&free_header(padding as u32));
    front.resize((length - u64::from(LARGE_HEADER_BYTES)) as usize, 0);
    front.extend_from_slice(&large_mdat_header(u64::from(LARGE_HEADER_BYTES) + media_bytes));
    Some(Bytes::from(front))
}
