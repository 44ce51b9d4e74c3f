//! One fragment: moof and mdat.

use bytes::Bytes;

use super::boxes::{BoxWriter, HEADER_BYTES};
use super::index::Sample;
use super::moov::track_id;

/// `sample_flags` (§8.8.3.1) of a sample that depends on no other.
pub(super) const SYNC_FLAGS: u32 = 0x0200_0000;
/// Of one that does, and where decoding cannot start.
pub(super) const NON_SYNC_FLAGS: u32 = 0x0101_0000;

/// Flags of tfhd and trun.
pub(super) mod flags {
    pub(crate) const TFHD_DESCRIPTION: u32 = 0x02;
    pub(crate) const TFHD_DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
    pub(crate) const TRUN_DATA_OFFSET: u32 = 0x01;
    pub(crate) const TRUN_DURATION: u32 = 0x100;
    pub(crate) const TRUN_SIZE: u32 = 0x200;
    pub(crate) const TRUN_FLAGS: u32 = 0x400;
    pub(crate) const TRUN_PTS_OFFSET: u32 = 0x800;
}

/// A fragment's bytes and where they belong.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Where it begins in the file: at its end so far.
    pub offset: u64,
    /// To be written one behind the other. The first is moof and mdat header, the others are the frames' own bytes.
    pub parts: Vec<Bytes>,
    /// Bytes of all parts.
    pub length: u64,
}

/// Samples of one track and description that follow each other.
pub(super) struct Run {
    /// The track's place in the index.
    pub(super) track: usize,
    /// The sample description index.
    pub(super) description: u32,
    /// Decoding time of the first, in ticks after the recording's origin.
    pub(super) dts: u64,
    pub(super) samples: Vec<Sample>,
}

impl Run {
    pub(super) fn bytes(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.size)).sum()
    }
}

/// moof and the mdat's header; the samples' bytes follow in the order of the runs. No more than [`MAX_FRAGMENT_BYTES`](super::MAX_FRAGMENT_BYTES).
pub(super) fn moof_and_mdat_header(sequence: u32, runs: &[Run]) -> Vec<u8> {
    let mut w = BoxWriter::default();
    let mut data_offset_places = Vec::with_capacity(runs.len());
    w.boxed(b"moof", |w| {
        w.full(b"mfhd", 0, 0, |w| w.u32(sequence));
        for run in runs {
            w.boxed(b"traf", |w| {
                w.full(b"tfhd", 0, flags::TFHD_DEFAULT_BASE_IS_MOOF | flags::TFHD_DESCRIPTION, |w| {
                    w.u32(track_id(run.track));
                    w.u32(run.description);
                });
                w.full(b"tfdt", 1, 0, |w| w.u64(run.dts));
                data_offset_places.push(trun(w, &run.samples));
            });
        }
    });
    // Now that the moof's size is known: where each run's bytes begin, from the moof on.
    let mut data_offset = w.len() as u64 + u64::from(HEADER_BYTES);
    for (run, place) in runs.iter().zip(data_offset_places) {
        w.patch_u32(place, data_offset as u32);
        data_offset += run.bytes();
    }
    let mdat_bytes = runs.iter().map(Run::bytes).sum::<u64>() + u64::from(HEADER_BYTES);
    w.u32(mdat_bytes as u32);
    w.bytes(b"mdat");
    w.into_vec()
}

/// Writes a trun and returns the place of its data offset. Every sample spells out duration and size; flags and composition
/// offsets stand there only where one needs them.
fn trun(w: &mut BoxWriter, samples: &[Sample]) -> usize {
    let mut flags = flags::TRUN_DATA_OFFSET | flags::TRUN_DURATION | flags::TRUN_SIZE | flags::TRUN_FLAGS;
    if samples.iter().any(|sample| sample.pts_offset != 0) {
        flags |= flags::TRUN_PTS_OFFSET;
    }
    let mut place = 0;
    w.full(b"trun", 1, flags, |w| {
        w.u32(samples.len() as u32);
        place = w.len();
        w.u32(0);
        for sample in samples {
            w.u32(sample.duration);
            w.u32(sample.size);
            w.u32(if sample.sync { SYNC_FLAGS } else { NON_SYNC_FLAGS });
            if flags & flags::TRUN_PTS_OFFSET != 0 {
                w.i32(sample.pts_offset);
            }
        }
    });
    place
}
