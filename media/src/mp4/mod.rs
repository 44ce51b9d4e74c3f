//! MP4: a recording's fragments while it grows, its index in memory, and how it becomes a plain MP4 or is found again after a crash.
//!
//! ISO/IEC 14496-12. Files are only described here, as bytes and steps; `server` opens, writes and syncs them.
//!
//! While it grows a file is `ftyp | free (the reserve) | moov with mvex | (moof mdat)*`; every prefix that ends between two fragments is
//! a playable fragmented MP4. All offsets in it are relative to their moof, so nothing in it depends on where it lies.
//! [`RecordingWriter`] makes those bytes and fills a [`SampleIndex`] on the way; [`scan()`] rebuilds the same index from a file.
//! [`finalise`] turns both into the steps that lay the full index into the reserve; [`front()`] makes of the index so far what is watched meanwhile.
//!
//! **Changes after the head was written.** A track that joins late, or new parameter sets in mid-stream, need a new head. It
//! is written into the end of the reserve, uncovered by shrinking the free box with one 4-byte write, and the old head then becomes a free box by
//! one 4-byte write of its type; see [`RecordingWriter::configure`]. Players take the first of two moovs, so each state between plays. The
//! reserve shrinks by the new head's length, less than 2 KB. Chromium heeds only
//! the first sample description of a track, and so does FFmpeg (seen with 5.1) in a file that still grows; so from the second on each keyframe also brings its
//! parameter sets, see [`in_band`](crate::codec::in_band).

mod boxes;
pub mod finalise;
mod fragment;
mod front;
mod index;
pub mod live;
mod moov;
mod packed;
mod read;
pub mod scan;
mod silence;
mod writer;

pub use finalise::{CopyPlan, FinalisePlan, PlanError, Step};
pub use fragment::Fragment;
pub use front::front;
pub use index::{MAX_SAMPLES_PER_TRACK, SampleIndex, TrackIndex};
pub use live::{LiveFragment, LiveWriter};
pub use scan::{ScanError, Scanned, Source, salvage, scan};
pub use writer::{
    Enlargement, LARGE_RESERVE_BYTES, MAX_DESCRIPTIONS, MAX_FRAGMENT_BYTES, RecordingWriter, SMALL_RESERVE_BYTES, WriterError,
};

/// Ticks a second of the movie header and of edit lists: tracks are aligned to the millisecond.
pub const MOVIE_TIMESCALE: u32 = 1_000;

/// Where the parts of a growing file lie that finalising and new heads write into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Where the reserve's first free box begins, its header included.
    pub reserve_offset: u64,
    /// Bytes of the whole reserve: of one free box, or of several one behind the other.
    pub reserve_bytes: u32,
    /// Bytes of the first of them. Differs from `reserve_bytes` only after a crash while the reserve was being enlarged.
    pub first_free_bytes: u32,
    /// Bytes of the moov behind the reserve.
    pub head_moov_bytes: u32,
    /// Where the fragments begin: behind the head as it first was. The index counts from here, so that it holds wherever the media come to lie.
    pub media_offset: u64,
}

impl Layout {
    /// Where the reserve ends and the head's moov begins.
    #[must_use]
    pub fn reserve_end(&self) -> u64 {
        self.reserve_offset + u64::from(self.reserve_bytes)
    }
}

/// A recording that grows no more: all that finalising has to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    pub layout: Layout,
    pub index: SampleIndex,
    /// Where the last complete fragment ends. The file may be longer by a torn one.
    pub good_length: u64,
    /// How many fragments there are.
    pub fragments: u32,
}
